"""Backtests: what users have asked for, and what it came to."""

from alembic import op

revision = "0041"
down_revision = "0040"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE backtests (
            id uuid PRIMARY KEY,
            user_id uuid NOT NULL REFERENCES users,
            job_id uuid NOT NULL UNIQUE REFERENCES jobs,
            created_at timestamptz NOT NULL,
            strategy_version_id uuid REFERENCES strategy_versions,
            definition jsonb NOT NULL,
            parameters jsonb NOT NULL,
            market text NOT NULL,
            timeframe text NOT NULL,
            period_start timestamptz NOT NULL,
            period_end timestamptz NOT NULL,
            initial_equity numeric NOT NULL,
            taker_fee_percent numeric NOT NULL,
            maker_fee_percent numeric NOT NULL,
            slippage_bps numeric NOT NULL,
            latency_milliseconds integer NOT NULL,
            outcome jsonb
        )
        """
    )
    op.execute("CREATE INDEX backtests_of_user ON backtests (user_id, id)")
