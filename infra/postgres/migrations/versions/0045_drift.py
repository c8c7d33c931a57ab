"""How far trading sessions have drifted from backtests over the same candles, and why."""

from alembic import op

revision = "0045"
down_revision = "0044"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE backtest_drifts (
            trading_session_id uuid PRIMARY KEY REFERENCES trading_sessions,
            user_id uuid NOT NULL REFERENCES users,
            job_id uuid NOT NULL UNIQUE REFERENCES jobs,
            requested_at timestamptz NOT NULL,
            computed_at timestamptz,
            until timestamptz,
            drift jsonb
        )""")
    op.execute("CREATE INDEX backtest_drifts_of_user ON backtest_drifts (user_id)")
