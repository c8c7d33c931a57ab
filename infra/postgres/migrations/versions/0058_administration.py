"""Users who are disabled, and by whom and why something was done to a user."""

from alembic import op

revision = "0058"
down_revision = "0057"

STATEMENTS = (
    "ALTER TABLE users ADD COLUMN disabled_at timestamptz",
    "CREATE INDEX users_by_role ON users (role, id) WHERE role <> 'USER'",
    "CREATE INDEX users_disabled ON users (id) WHERE disabled_at IS NOT NULL",
    """
    ALTER TABLE activities ADD COLUMN author text NOT NULL DEFAULT 'SELF', ADD COLUMN operator_id uuid,
        ADD COLUMN reason text
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
