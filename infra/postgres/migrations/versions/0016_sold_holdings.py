"""Positions of coins that were sold and never bought here: a spot market knows no short sale.

They are closed at the time at which they were opened, so that no limit takes them for a round trip that has just ended.
"""

from alembic import op

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.execute("UPDATE positions SET quantity = 0, closed_at = opened_at WHERE closed_at IS NULL AND quantity < 0")
