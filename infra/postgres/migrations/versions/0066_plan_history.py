"""How far back a plan lets its users read the history of markets."""

from alembic import op

revision = "0066"
down_revision = "0065"


def upgrade() -> None:
    op.execute("ALTER TABLE plans ADD COLUMN history_days integer")
