"""What an intent to close a position waits for before its next order."""

from alembic import op

revision = "0042"
down_revision = "0041"


def upgrade() -> None:
    op.execute("ALTER TABLE position_intents ADD COLUMN waits_for text")
