"""Backtests and optimizations of several markets, with a detail timeframe, risk limits and checks."""

from alembic import op

revision = "0052"
down_revision = "0051"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE backtests
        ADD COLUMN other_markets text[] NOT NULL DEFAULT '{}',
        ADD COLUMN settings jsonb NOT NULL DEFAULT '{}'""")
    op.execute("ALTER TABLE backtests ALTER COLUMN other_markets DROP DEFAULT, ALTER COLUMN settings DROP DEFAULT")
    op.execute("""
        ALTER TABLE optimizations
        ADD COLUMN other_markets jsonb NOT NULL DEFAULT '[]',
        ADD COLUMN settings jsonb NOT NULL DEFAULT '{}'""")
    op.execute("ALTER TABLE optimizations ALTER COLUMN other_markets DROP DEFAULT, ALTER COLUMN settings DROP DEFAULT")
