"""Which events of which user were in archived files that were given up, so that their gap is known as what it is."""

from alembic import op

revision = "0078"
down_revision = "0077"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE lost_event_parts (
            name text COLLATE "C" NOT NULL REFERENCES archive_lost_files,
            user_id uuid NOT NULL,
            first_sequence bigint NOT NULL,
            last_sequence bigint NOT NULL,
            PRIMARY KEY (user_id, name)
        )""")
