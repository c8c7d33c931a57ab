"""Accounts of a database that was restored to an earlier moment, until each has agreed with its venue again.

What they have done at the venue since then, the database doesn't know.
"""

from alembic import op

revision = "0074"
down_revision = "0073"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE restored_accounts (
            account_id uuid PRIMARY KEY REFERENCES accounts ON DELETE CASCADE,
            restored_to timestamptz NOT NULL
        )""")
