"""Codes beside the texts that say why an order was rejected and why a trading session is where it is."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN reject_code text")
    op.execute(
        """
        UPDATE orders SET reject_code = CASE reject_reason
            WHEN 'the venue never received the order' THEN 'NOT_RECEIVED' ELSE 'UNKNOWN' END
        WHERE status = 'REJECTED'
        """
    )
    op.execute("ALTER TABLE trading_sessions ADD COLUMN status_code text")
    op.execute(
        """
        UPDATE trading_sessions SET status_code = CASE
            WHEN status = 'PAUSED' THEN 'PAUSED_BY_USER'
            WHEN status IN ('STOPPING', 'STOPPED') THEN 'STOPPED_BY_USER'
            WHEN status_reason LIKE 'The strategy can''t be run: %' THEN 'STRATEGY_INVALID'
            ELSE 'INTERNAL' END
        WHERE status IN ('PAUSED', 'STOPPING', 'STOPPED', 'FAILED')
        """
    )
