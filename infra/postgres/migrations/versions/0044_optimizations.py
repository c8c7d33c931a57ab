"""Optimizations, and their trials, which worker nodes share."""

from alembic import op

revision = "0044"
down_revision = "0043"

STATEMENTS = (
    """
    CREATE TABLE optimizations (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users,
        job_id uuid NOT NULL UNIQUE REFERENCES jobs,
        created_at timestamptz NOT NULL,
        strategy_version_id uuid REFERENCES strategy_versions,
        definition jsonb NOT NULL,
        parameters jsonb NOT NULL,
        market jsonb NOT NULL,
        timeframe text NOT NULL,
        period_start timestamptz NOT NULL,
        period_end timestamptz NOT NULL,
        initial_equity numeric NOT NULL,
        taker_fee_percent numeric NOT NULL,
        maker_fee_percent numeric NOT NULL,
        slippage_bps numeric NOT NULL,
        latency_milliseconds integer NOT NULL,
        objective text NOT NULL,
        trials integer NOT NULL CHECK (trials > 0),
        folds integer NOT NULL CHECK (folds > 0),
        seed bigint NOT NULL,
        is_prepared boolean NOT NULL DEFAULT false
    )
    """,
    "CREATE INDEX optimizations_of_user ON optimizations (user_id, id)",
    """
    CREATE TABLE optimization_trials (
        optimization_id uuid NOT NULL REFERENCES optimizations,
        number integer NOT NULL CHECK (number >= 0),
        fold integer NOT NULL CHECK (fold >= 0),
        parameters jsonb NOT NULL,
        result jsonb,
        score double precision,
        worker text,
        lease_until timestamptz,
        started_at timestamptz NOT NULL,
        attempts integer NOT NULL,
        PRIMARY KEY (optimization_id, number)
    )
    """,
    "CREATE INDEX optimization_trials_unfinished ON optimization_trials (optimization_id) WHERE result IS NULL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
