"""Indexes for the lists that hang on an account, a strategy or a position, and for positions by their closing."""

from alembic import op

revision = "0007"
down_revision = "0006"

INDEXES = (
    "CREATE INDEX trading_sessions_of_account ON trading_sessions (account_id, id)",
    "CREATE INDEX trading_sessions_of_version ON trading_sessions (strategy_version_id, id)",
    "CREATE INDEX positions_of_account ON positions (account_id, id)",
    "CREATE INDEX positions_closed_of_user ON positions (user_id, closed_at, id) WHERE closed_at IS NOT NULL",
    "CREATE INDEX positions_closed_of_account ON positions (account_id, closed_at, id) WHERE closed_at IS NOT NULL",
    "CREATE INDEX fills_of_market ON fills (account_id, market, at)",
)


def upgrade() -> None:
    for statement in INDEXES:
        op.execute(statement)
