"""An index of the intents that have ended: a fill that opens a position asks whether one of them meant it too."""

from alembic import op

revision = "0040"
down_revision = "0039"


def upgrade() -> None:
    op.execute(
        "CREATE INDEX position_intents_ended ON position_intents (account_id, market, id)"
        " WHERE ended_at IS NOT NULL AND quantity IS NULL"
    )
