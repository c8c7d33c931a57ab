"""What was archived of which month, by which files: nothing is dropped that isn't listed here."""

from alembic import op

revision = "0071"
down_revision = "0070"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE archive_batches (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            source text COLLATE "C" NOT NULL CHECK (source IN ('candles')),
            month timestamptz NOT NULL,
            folder text COLLATE "C" NOT NULL,
            state text NOT NULL CHECK (state IN ('WRITING', 'VERIFIED', 'DROPPED', 'RESTORED', 'SUPERSEDED')),
            rows bigint,
            fingerprint numeric,
            begun_at timestamptz NOT NULL DEFAULT now(),
            verified_at timestamptz,
            dropped_at timestamptz,
            ended_at timestamptz,
            CHECK (state = 'WRITING' OR (rows IS NOT NULL AND fingerprint IS NOT NULL AND verified_at IS NOT NULL)),
            CHECK (state <> 'DROPPED' OR dropped_at IS NOT NULL)
        )""")
    op.execute("""
        CREATE UNIQUE INDEX archive_batches_open ON archive_batches (source, month)
        WHERE state IN ('WRITING', 'VERIFIED')""")
    op.execute("""
        CREATE TABLE archive_files (
            name text COLLATE "C" PRIMARY KEY,
            batch_id bigint NOT NULL REFERENCES archive_batches ON DELETE CASCADE,
            market text COLLATE "C" NOT NULL,
            rows bigint NOT NULL,
            size_bytes bigint NOT NULL,
            sha256 text NOT NULL,
            first timestamptz NOT NULL,
            last timestamptz NOT NULL,
            sums numeric[] NOT NULL
        )""")
    op.execute("CREATE INDEX archive_files_batch ON archive_files (batch_id)")
