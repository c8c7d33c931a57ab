"""An index that reads an account's fills in the order of their times, page by page."""

from alembic import op

revision = "0061"
down_revision = "0060"


def upgrade() -> None:
    op.execute("CREATE INDEX fills_by_time ON fills (account_id, at, id)")
