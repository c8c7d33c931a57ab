"""How many requests a minute an API key was made for."""

from alembic import op

revision = "0060"
down_revision = "0059"


def upgrade() -> None:
    op.execute("ALTER TABLE api_keys ADD COLUMN requests_per_minute integer")
