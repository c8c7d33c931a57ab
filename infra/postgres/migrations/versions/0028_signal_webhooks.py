"""Webhooks: addresses with a secret of their own, at which others submit signals to a trading session."""

from alembic import op

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    op.execute(
        """
        CREATE TABLE signal_webhooks (
            id uuid PRIMARY KEY,
            user_id uuid NOT NULL REFERENCES users (id),
            trading_session_id uuid NOT NULL REFERENCES trading_sessions (id),
            name text NOT NULL,
            created_at timestamptz NOT NULL,
            secret_hash bytea NOT NULL,
            rotated_at timestamptz,
            revoked_at timestamptz,
            last_used_at timestamptz,
            signal_count bigint NOT NULL,
            last_signal_id uuid,
            last_message_hash bytea,
            refused_count bigint NOT NULL,
            last_error text,
            last_error_at timestamptz
        )
        """
    )
    # A revoked secret is not in the index, so that looking it up takes as long as looking up any other text.
    op.execute("CREATE UNIQUE INDEX signal_webhooks_secret ON signal_webhooks (secret_hash) WHERE revoked_at IS NULL")
    op.execute(
        "CREATE INDEX signal_webhooks_trading_session ON signal_webhooks (trading_session_id) WHERE revoked_at IS NULL"
    )
