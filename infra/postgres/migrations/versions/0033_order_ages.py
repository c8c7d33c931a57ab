"""When an order was placed, by the database's clock: the clocks of the nodes that place and that send it may differ."""

from alembic import op

revision = "0033"
down_revision = "0032"


def upgrade() -> None:
    # Without a default at first: that would write all rows again. Those of before count from `created_at`.
    op.execute("ALTER TABLE orders ADD COLUMN placed_at timestamptz")
    op.execute("ALTER TABLE orders ALTER COLUMN placed_at SET DEFAULT clock_timestamp()")
