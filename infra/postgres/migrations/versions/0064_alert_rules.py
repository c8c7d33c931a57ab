"""Alert rules, and how each stands."""

from alembic import op

revision = "0064"
down_revision = "0063"


def upgrade() -> None:
    op.execute("SET CONSTRAINTS ALL IMMEDIATE")
    op.execute("""
        CREATE TABLE alert_rules (
            id uuid PRIMARY KEY,
            user_id uuid NOT NULL REFERENCES users,
            name text NOT NULL,
            condition text NOT NULL,
            repeat text NOT NULL,
            cooldown_seconds integer NOT NULL,
            status text NOT NULL,
            created_at timestamptz NOT NULL,
            revision integer NOT NULL,
            market text,
            timeframe text,
            rule text,
            direction text,
            level numeric,
            hysteresis_percent numeric,
            account_id uuid REFERENCES accounts,
            trading_session_id uuid REFERENCES trading_sessions,
            event_kinds text[] NOT NULL,
            after_seconds integer,
            channel_ids uuid[] NOT NULL,
            sequence bigint NOT NULL,
            is_armed boolean,
            fired_count bigint NOT NULL,
            last_fired_at timestamptz
        )""")
    op.execute("CREATE INDEX alert_rules_of_user ON alert_rules (user_id, id)")
    op.execute("CREATE INDEX alert_rules_active ON alert_rules (user_id) WHERE status = 'ACTIVE'")
