"""How many alert rules a plan allows."""

from alembic import op

revision = "0067"
down_revision = "0066"


def upgrade() -> None:
    op.execute("ALTER TABLE plans ADD COLUMN max_alert_rules integer NOT NULL DEFAULT 500")
    op.execute("ALTER TABLE plans ALTER COLUMN max_alert_rules DROP DEFAULT")
