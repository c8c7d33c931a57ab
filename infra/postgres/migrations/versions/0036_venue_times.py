"""Times by the venue's clock from which its orders and trades are looked up: a node's clock may be set back or jump."""

from alembic import op

revision = "0036"
down_revision = "0035"


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN venue_submitted_at timestamptz")
    op.execute("ALTER TABLE accounts ADD COLUMN reconciled_until timestamptz")
