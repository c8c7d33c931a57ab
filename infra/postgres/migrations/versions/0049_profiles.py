"""Users' profiles, and from where their login sessions were opened."""

from alembic import op

revision = "0049"
down_revision = "0048"


def upgrade() -> None:
    op.execute("""
        ALTER TABLE users
            ADD COLUMN time_zone text NOT NULL DEFAULT 'UTC',
            ADD COLUMN locale text NOT NULL DEFAULT 'en',
            ADD COLUMN report_currency text,
            ADD COLUMN notify_sign_in boolean NOT NULL DEFAULT true
        """)
    op.execute("ALTER TABLE login_sessions ADD COLUMN address text, ADD COLUMN user_agent text")
    op.execute("ALTER TABLE mails ADD COLUMN detail text")
