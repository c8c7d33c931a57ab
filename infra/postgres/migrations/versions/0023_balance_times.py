"""The venue's time of balances and of orders' acceptance, and balances of which a venue reports the total alone.

Active orders that a venue has accepted are taken as accepted when they were sent: the first balances after the upgrade
are younger than all of them.
"""

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    op.execute("ALTER TABLE balances ADD COLUMN at timestamptz, ALTER COLUMN free DROP NOT NULL")
    op.execute("ALTER TABLE orders ADD COLUMN accepted_at timestamptz")
    op.execute(
        "UPDATE orders SET accepted_at = submitted_at WHERE status IN ('OPEN', 'PARTIALLY_FILLED', 'PENDING_CANCEL')"
    )
