"""How strategies did lately on markets, and the jobs that find it out."""

from alembic import op

revision = "0043"
down_revision = "0042"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE strategy_evaluations (
            market text NOT NULL,
            timeframe text NOT NULL,
            definition_hash bytea NOT NULL,
            computed_at timestamptz NOT NULL,
            result jsonb,
            message text,
            PRIMARY KEY (market, timeframe, definition_hash)
        )""")
    op.execute("CREATE INDEX strategy_evaluations_by_age ON strategy_evaluations (computed_at)")
    op.execute("""
        CREATE TABLE recommendation_runs (
            id uuid PRIMARY KEY,
            user_id uuid NOT NULL REFERENCES users,
            job_id uuid NOT NULL UNIQUE REFERENCES jobs,
            market text NOT NULL,
            timeframe text NOT NULL,
            created_at timestamptz NOT NULL
        )""")
    op.execute("CREATE INDEX recommendation_runs_of_user ON recommendation_runs (user_id, market, timeframe, id)")
    op.execute("CREATE INDEX recommendation_runs_by_age ON recommendation_runs (created_at)")
