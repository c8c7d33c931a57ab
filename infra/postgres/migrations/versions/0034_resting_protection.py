"""Orders that keep a protection at the venue, two of them in a group if one of them ends the other."""

from alembic import op

revision = "0034"
down_revision = "0033"


def upgrade() -> None:
    # No table can be altered while its rows of this transaction, those of 0022, wait for the check of their references.
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.execute(
        "ALTER TABLE orders ADD COLUMN protection_id uuid REFERENCES position_protections, ADD COLUMN group_id uuid"
    )
    op.execute("CREATE INDEX orders_of_protection ON orders (protection_id, id) WHERE protection_id IS NOT NULL")
    op.execute("CREATE INDEX orders_of_group ON orders (group_id, id) WHERE group_id IS NOT NULL")
    op.execute("ALTER TABLE position_protections DROP COLUMN venue_group_id")
    op.execute("ALTER TABLE position_protections ADD COLUMN venue_filled numeric NOT NULL DEFAULT 0")
    op.execute("ALTER TABLE position_protections ALTER COLUMN venue_filled DROP DEFAULT")
