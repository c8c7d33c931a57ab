"""The reason of an order's cancel, for programs; it isn't known of cancels from before."""

from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN cancel_code text")
