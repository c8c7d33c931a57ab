"""When a job was claimed and how often: users take turns, and a job that kills its workers ends."""

from alembic import op

revision = "0039"
down_revision = "0038"


def upgrade() -> None:
    op.execute("ALTER TABLE jobs ADD COLUMN started_at timestamptz, ADD COLUMN attempts integer NOT NULL DEFAULT 0")
    op.execute("CREATE INDEX jobs_last_started ON jobs (user_id, started_at)")
