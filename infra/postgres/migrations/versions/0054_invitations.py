"""Invitations of users, with their codes."""

from alembic import op

revision = "0054"
down_revision = "0053"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE invitations (
            id uuid PRIMARY KEY,
            email text NOT NULL,
            role text NOT NULL,
            invited_by uuid REFERENCES users,
            created_at timestamptz NOT NULL,
            expires_at timestamptz NOT NULL,
            accepted_at timestamptz,
            user_id uuid REFERENCES users,
            withdrawn_at timestamptz
        )""")
    op.execute(
        "CREATE UNIQUE INDEX open_invitations ON invitations (email) WHERE accepted_at IS NULL AND withdrawn_at IS NULL"
    )
    op.execute("""
        CREATE TABLE invitation_codes (
            code_hash bytea PRIMARY KEY,
            invitation_id uuid NOT NULL REFERENCES invitations ON DELETE CASCADE,
            sent_by_mail boolean NOT NULL
        )""")
    op.execute("CREATE INDEX invitation_codes_of_invitation ON invitation_codes (invitation_id)")
