"""What fees in third currencies were worth, and the prices that slippage is measured from."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute("ALTER TABLE fills ADD COLUMN fee_rate numeric")
    op.execute("ALTER TABLE positions ADD COLUMN unpriced_fees text[] NOT NULL DEFAULT '{}'")
    op.execute("ALTER TABLE orders ADD COLUMN arrival_price numeric")
