"""What the venue has counted of an order as filled, while trades of it are missing."""

from alembic import op

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    op.execute(
        """
        ALTER TABLE orders ADD COLUMN reported_quantity numeric NOT NULL DEFAULT 0,
            ADD COLUMN awaits_fills boolean NOT NULL DEFAULT false
        """
    )
    op.execute("CREATE INDEX orders_missing_fills ON orders (account_id, id) WHERE reported_quantity > filled_quantity")
