"""The hash of an account's API key: the same key can't be in two accounts. Existing ones are hashed at the start."""

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    op.execute("ALTER TABLE accounts ADD COLUMN key_hash bytea")
    op.execute("CREATE UNIQUE INDEX accounts_key_hash ON accounts (key_hash) WHERE archived_at IS NULL")
