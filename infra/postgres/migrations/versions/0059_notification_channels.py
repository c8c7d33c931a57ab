"""Notification channels, how far each is in its user's log, and the log of their deliveries."""

from alembic import op

revision = "0059"
down_revision = "0058"


def upgrade() -> None:
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.execute("""
        CREATE TABLE notification_channels (
            id uuid PRIMARY KEY,
            user_id uuid NOT NULL REFERENCES users,
            kind text NOT NULL,
            name text NOT NULL,
            target text,
            secret bytea,
            event_kinds text[] NOT NULL,
            status text NOT NULL,
            created_at timestamptz NOT NULL,
            sequence bigint NOT NULL,
            due_at timestamptz NOT NULL,
            sequence_at timestamptz,
            quiet_from time,
            quiet_until time,
            max_per_hour integer,
            previous_secret bytea,
            previous_until timestamptz,
            attempts integer NOT NULL,
            failing_since timestamptz,
            is_held_back boolean NOT NULL,
            last_error text,
            last_error_at timestamptz,
            last_delivered_at timestamptz,
            claimed_by text,
            claimed_until timestamptz
        )""")
    op.execute("CREATE INDEX notification_channels_of_user ON notification_channels (user_id)")
    op.execute("CREATE INDEX notification_channels_due ON notification_channels (due_at) WHERE status = 'ACTIVE'")
    op.execute("""
        CREATE TABLE channel_deliveries (
            id uuid PRIMARY KEY,
            channel_id uuid NOT NULL REFERENCES notification_channels ON DELETE CASCADE,
            user_id uuid NOT NULL REFERENCES users,
            message_id text NOT NULL,
            created_at timestamptz NOT NULL,
            status text NOT NULL,
            attempts integer NOT NULL,
            first_sequence bigint,
            sequence bigint,
            event_kind text,
            finished_at timestamptz,
            error text,
            UNIQUE (channel_id, message_id)
        )""")
    op.execute("CREATE INDEX channel_deliveries_of_user ON channel_deliveries (user_id, id)")
    op.execute("CREATE INDEX channel_deliveries_of_channel ON channel_deliveries (channel_id, id)")
    op.execute("CREATE INDEX channel_deliveries_old ON channel_deliveries (created_at)")
