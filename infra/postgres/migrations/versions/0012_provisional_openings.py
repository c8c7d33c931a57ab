"""Which accounts' openings may still be corrected: those of accounts that were there before transfers were recorded.

Revision 0005 marks them. A database that had it before it did so has openings that have been compared already.
"""

from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.execute("ALTER TABLE accounts ADD COLUMN IF NOT EXISTS opening_is_provisional boolean NOT NULL DEFAULT false")
