"""Exports of users' data, with the pieces of their archives."""

from alembic import op

revision = "0051"
down_revision = "0050"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE data_exports (
            id uuid PRIMARY KEY,
            user_id uuid NOT NULL REFERENCES users,
            job_id uuid NOT NULL UNIQUE REFERENCES jobs,
            created_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            run_id uuid,
            size_bytes bigint
        )""")
    op.execute("CREATE INDEX data_exports_of_user ON data_exports (user_id)")
    op.execute("""
        CREATE TABLE data_export_pieces (
            export_id uuid NOT NULL REFERENCES data_exports ON DELETE CASCADE,
            run_id uuid NOT NULL,
            number integer NOT NULL,
            data bytea NOT NULL,
            PRIMARY KEY (export_id, run_id, number)
        )""")
    # They are compressed already.
    op.execute("ALTER TABLE data_export_pieces ALTER COLUMN data SET STORAGE EXTERNAL")
