"""When users were erased."""

from alembic import op

revision = "0050"
down_revision = "0049"


def upgrade() -> None:
    op.execute("ALTER TABLE users ADD COLUMN erased_at timestamptz")
