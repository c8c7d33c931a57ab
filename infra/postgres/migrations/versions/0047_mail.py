"""Mails that wait to be sent, the codes in them, and whether a user's email was verified."""

from alembic import op

revision = "0047"
down_revision = "0046"


def upgrade() -> None:
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.execute("ALTER TABLE users ADD COLUMN email_verified_at timestamptz")
    op.execute("""
        CREATE TABLE mails (
            id uuid PRIMARY KEY,
            kind text NOT NULL,
            recipient text NOT NULL,
            created_at timestamptz NOT NULL,
            user_id uuid REFERENCES users,
            attempts integer NOT NULL,
            due_at timestamptz NOT NULL,
            sent_at timestamptz,
            given_up_at timestamptz,
            error text
        )""")
    op.execute("CREATE INDEX mails_due ON mails (due_at) WHERE sent_at IS NULL AND given_up_at IS NULL")
    op.execute("CREATE INDEX mails_of_user ON mails (user_id)")
    op.execute("""
        CREATE TABLE email_codes (
            code_hash bytea PRIMARY KEY,
            user_id uuid NOT NULL REFERENCES users,
            purpose text NOT NULL,
            email text NOT NULL,
            created_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL
        )""")
    op.execute("CREATE INDEX email_codes_of_user ON email_codes (user_id, purpose)")
