"""Second factors, and the recovery codes for who has lost one."""

from alembic import op

revision = "0048"
down_revision = "0047"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE two_factors (
            user_id uuid PRIMARY KEY REFERENCES users,
            sealed_secret bytea NOT NULL,
            created_at timestamptz NOT NULL,
            enabled_at timestamptz,
            last_step bigint,
            failures integer NOT NULL,
            failures_since timestamptz
        )""")
    op.execute("""
        CREATE TABLE recovery_codes (
            user_id uuid NOT NULL REFERENCES users,
            code_hash bytea NOT NULL,
            PRIMARY KEY (user_id, code_hash)
        )""")
