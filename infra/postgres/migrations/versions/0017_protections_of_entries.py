"""The protection of an entry order is found by the order."""

from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX position_protections_of_entry ON position_protections (entry_order_id, id) "
        "WHERE entry_order_id IS NOT NULL"
    )
