"""Trailing stops as orders that the engine holds; and the protection of an entry order is found by the order."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE orders ADD COLUMN trail_percent numeric, ADD COLUMN trail_absolute numeric,"
        " ADD COLUMN high_water numeric"
    )
    op.execute(
        "CREATE INDEX position_protections_of_entry ON position_protections (entry_order_id, id) "
        "WHERE entry_order_id IS NOT NULL"
    )
