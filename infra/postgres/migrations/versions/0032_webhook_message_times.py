"""The latest time that a webhook's messages named: an entry of an earlier time comes too late."""

from alembic import op

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    op.execute("ALTER TABLE signal_webhooks ADD COLUMN last_sent_at timestamptz")
