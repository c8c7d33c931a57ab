"""Sign-ins at OpenID providers, linked identities, and when a login session's user last proved who they are."""

from alembic import op

revision = "0062"
down_revision = "0061"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE oidc_attempts (
            id uuid PRIMARY KEY,
            provider text NOT NULL,
            state_hash bytea UNIQUE,
            nonce text NOT NULL,
            verifier text NOT NULL,
            challenge text NOT NULL,
            created_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            code_hash bytea UNIQUE,
            issuer text,
            subject text,
            email text,
            email_verified boolean,
            name text
        )""")
    op.execute("CREATE INDEX oidc_attempts_expiry ON oidc_attempts (expires_at)")
    op.execute("""
        CREATE TABLE linked_identities (
            id uuid PRIMARY KEY,
            user_id uuid NOT NULL REFERENCES users,
            provider text NOT NULL,
            issuer text NOT NULL,
            subject text NOT NULL,
            email text,
            created_at timestamptz NOT NULL,
            last_used_at timestamptz,
            UNIQUE (issuer, subject)
        )""")
    op.execute("CREATE INDEX linked_identities_of_user ON linked_identities (user_id)")
    op.execute("ALTER TABLE login_sessions ADD COLUMN provider text, ADD COLUMN confirmed_at timestamptz")
    op.execute("UPDATE login_sessions SET confirmed_at = created_at")
    op.execute("ALTER TABLE login_sessions ALTER COLUMN confirmed_at SET NOT NULL")
