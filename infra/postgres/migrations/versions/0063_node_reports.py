"""What nodes report about themselves, and indexes of what failed lately."""

from alembic import op

revision = "0063"
down_revision = "0062"

STATEMENTS = (
    """
    CREATE TABLE node_reports (
        name text COLLATE "C" PRIMARY KEY,
        seen_at timestamptz NOT NULL,
        report jsonb NOT NULL
    )
    """,
    "CREATE INDEX trading_sessions_failed ON trading_sessions (stopped_at) WHERE status = 'FAILED'",
    "CREATE INDEX jobs_failed ON jobs (finished_at) WHERE status = 'FAILED'",
    "CREATE INDEX mails_given_up ON mails (given_up_at) WHERE given_up_at IS NOT NULL",
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
