"""Which archived files were given up as lost: what they had is missing from answers, and here it says so."""

from alembic import op

revision = "0077"
down_revision = "0076"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE archive_lost_files (
            name text COLLATE "C" PRIMARY KEY,
            source text COLLATE "C" NOT NULL,
            market text COLLATE "C" NOT NULL,
            rows bigint NOT NULL,
            sha256 text NOT NULL,
            first timestamptz NOT NULL,
            last timestamptz NOT NULL,
            reason text NOT NULL,
            given_up_at timestamptz NOT NULL DEFAULT now()
        )""")
