"""Orders found by the venue's own id, and the alerts that an account has raised, so that none is raised twice."""

from alembic import op

revision = "0006"
down_revision = "0005"

STATEMENTS = (
    "CREATE INDEX orders_by_venue_id ON orders (account_id, venue_order_id) WHERE venue_order_id IS NOT NULL",
    """
    CREATE TABLE account_alerts (
        account_id uuid NOT NULL REFERENCES accounts,
        key text COLLATE "C" NOT NULL,
        raised_at timestamptz NOT NULL,
        PRIMARY KEY (account_id, key)
    )
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
