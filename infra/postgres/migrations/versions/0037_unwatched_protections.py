"""Since when, and why, the engine can't watch the market of a protection."""

from alembic import op

revision = "0037"
down_revision = "0036"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE position_protections ADD COLUMN unwatched_since timestamptz, ADD COLUMN unwatched_reason text"
    )
