"""What sales by hand have taken of the part of a position that the protection of an entry order protects."""

from alembic import op

revision = "0046"
down_revision = "0045"


def upgrade() -> None:
    # No table can be altered while its rows of this transaction, those of 0022, wait for the check of their references.
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.execute("ALTER TABLE position_protections ADD COLUMN sold_by_hand numeric NOT NULL DEFAULT 0")
    op.execute("ALTER TABLE position_protections ALTER COLUMN sold_by_hand DROP DEFAULT")
