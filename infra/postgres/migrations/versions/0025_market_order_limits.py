"""The limits of orders that trade at the market's price: their least quantity, and whether a least value applies."""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE markets ADD COLUMN minimum_market_quantity numeric, "
        "ADD COLUMN notional_at_market boolean NOT NULL DEFAULT true"
    )
