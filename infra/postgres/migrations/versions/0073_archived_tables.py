"""The archive takes any table that the code describes, candles being the first of them."""

from alembic import op

revision = "0073"
down_revision = "0072"


def upgrade() -> None:
    op.execute("ALTER TABLE archive_batches DROP CONSTRAINT archive_batches_source_check")
    op.execute("ALTER TABLE archive_batches ADD CONSTRAINT archive_batches_source_check CHECK (source ~ '^[a-z_]+$')")
