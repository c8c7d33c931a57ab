"""What a channel has delivered of late is counted before each message to a person: by an index, not by reading all."""

from alembic import op

revision = "0069"
down_revision = "0068"


def upgrade() -> None:
    op.execute("""
        CREATE INDEX channel_deliveries_delivered ON channel_deliveries (channel_id, finished_at)
        WHERE status = 'DELIVERED' AND sequence IS NOT NULL""")
