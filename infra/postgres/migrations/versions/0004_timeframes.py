"""Candles and trading sessions of 3 and 30 minutes, of 2, 6 and 12 hours, and of a week."""

from alembic import op

revision = "0004"
down_revision = "0003"

TIMEFRAMES = "'M1', 'M3', 'M5', 'M15', 'M30', 'H1', 'H2', 'H4', 'H6', 'H12', 'D1', 'W1'"


def upgrade() -> None:
    for table in ("candles", "trading_sessions"):
        op.execute(
            f"ALTER TABLE {table} DROP CONSTRAINT {table}_timeframe_check, "
            f"ADD CONSTRAINT {table}_timeframe_check CHECK (timeframe IN ({TIMEFRAMES}))"
        )
