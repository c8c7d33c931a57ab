"""How many subscriptions of a user each node has reserved, for a while."""

from alembic import op

revision = "0068"
down_revision = "0067"


def upgrade() -> None:
    op.execute("""
        CREATE TABLE subscription_places (
            user_id uuid NOT NULL REFERENCES users,
            node text NOT NULL,
            places integer NOT NULL,
            expires_at timestamptz NOT NULL,
            PRIMARY KEY (user_id, node)
        )""")
