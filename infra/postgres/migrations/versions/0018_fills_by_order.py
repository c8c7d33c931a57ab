"""A trade of an account with itself is a fill of both its orders; and when an order's trigger has gone off."""

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.execute("ALTER TABLE fills DROP CONSTRAINT fills_account_id_market_venue_trade_id_key")
    op.execute("ALTER TABLE fills ADD UNIQUE (account_id, market, venue_trade_id, order_id)")
    op.execute("ALTER TABLE orders ADD COLUMN triggered_at timestamptz")
