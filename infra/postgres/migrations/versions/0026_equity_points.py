"""Points of equity, what transfers were worth when they moved, and an index by which positions closed."""

from alembic import op

revision = "0026"
down_revision = "0025"

POINTS = """
CREATE TABLE equity_points (
    subject_id uuid NOT NULL,
    account_id uuid NOT NULL REFERENCES accounts,
    at timestamptz NOT NULL,
    equity numeric NOT NULL,
    deposited numeric NOT NULL,
    peak numeric NOT NULL,
    PRIMARY KEY (subject_id, at)
)
"""


def upgrade() -> None:
    op.execute(POINTS)
    op.execute("CREATE INDEX equity_points_by_time ON equity_points (at)")
    op.execute("ALTER TABLE account_transfers ADD COLUMN worth numeric")
    op.execute(
        "CREATE INDEX positions_by_closing ON positions (account_id, closed_at DESC, id DESC)"
        " WHERE closed_at IS NOT NULL"
    )
    op.execute(
        "CREATE INDEX positions_of_session_by_closing ON positions (trading_session_id, closed_at DESC, id DESC)"
        " WHERE closed_at IS NOT NULL AND trading_session_id IS NOT NULL"
    )
