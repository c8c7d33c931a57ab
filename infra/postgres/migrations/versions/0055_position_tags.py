"""A word of the user's for each position, by which profit is grouped."""

from alembic import op

revision = "0055"
down_revision = "0054"


def upgrade() -> None:
    op.execute('ALTER TABLE positions ADD COLUMN tag text COLLATE "C"')
