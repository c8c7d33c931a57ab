"""What users wrote about deposits and withdrawals."""

from alembic import op

revision = "0065"
down_revision = "0064"


def upgrade() -> None:
    op.execute("ALTER TABLE account_transfers ADD COLUMN note text")
