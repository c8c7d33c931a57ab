"""Which archived file has events of which user, and which files are to be deleted."""

from alembic import op

revision = "0076"
down_revision = "0075"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE archived_event_parts (
            name text COLLATE "C" NOT NULL REFERENCES archive_files ON DELETE CASCADE,
            user_id uuid NOT NULL,
            rows bigint NOT NULL,
            order_rows bigint NOT NULL CHECK (order_rows BETWEEN 0 AND rows),
            hash numeric NOT NULL,
            order_hash numeric NOT NULL,
            first_sequence bigint NOT NULL,
            last_sequence bigint NOT NULL,
            last_at timestamptz NOT NULL,
            first_order_id uuid,
            last_order_id uuid,
            PRIMARY KEY (name, user_id)
        )""")
    op.execute("CREATE INDEX archived_event_parts_user ON archived_event_parts (user_id, last_sequence)")
    op.execute("""
        CREATE TABLE archive_deletions (
            folder text COLLATE "C" PRIMARY KEY,
            at timestamptz NOT NULL DEFAULT now()
        )""")
