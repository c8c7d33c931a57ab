"""The greatest quantity of a MARKET order, and fees that a venue doesn't tell."""

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE markets ADD COLUMN maximum_market_quantity numeric, "
        "ALTER COLUMN maker_fee DROP NOT NULL, ALTER COLUMN taker_fee DROP NOT NULL"
    )
