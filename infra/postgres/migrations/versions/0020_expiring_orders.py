"""Finds the orders that have expired, of all accounts that a node trades, without a look at those that rest."""

from alembic import op

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    op.execute(
        """
        CREATE INDEX orders_expiring ON orders (expires_at)
        WHERE expires_at IS NOT NULL AND cancel_requested_at IS NULL
            AND status IN ('PENDING', 'SUBMITTED', 'IN_DOUBT', 'OPEN', 'PARTIALLY_FILLED', 'PENDING_CANCEL')
        """
    )
