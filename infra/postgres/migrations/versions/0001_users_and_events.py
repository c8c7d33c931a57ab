"""Users and their credentials, the event log, leases."""

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    for statement in _STATEMENTS.split(";\n"):
        if statement.strip():
            op.execute(statement)


_STATEMENTS = """
CREATE TABLE users (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE CHECK (email = lower(email) AND length(email) <= 254),
    display_name text,
    password_hash text NOT NULL,
    role text NOT NULL CHECK (role IN ('USER', 'OPERATOR')),
    plan_name text NOT NULL,
    trading_state text NOT NULL CHECK (trading_state IN ('ACTIVE', 'REDUCING', 'HALTED')),
    created_at timestamptz NOT NULL
);

CREATE TABLE login_sessions (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    token_hash bytea NOT NULL UNIQUE,
    created_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX ON login_sessions (user_id, id) WHERE revoked_at IS NULL;

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    secret_hash bytea NOT NULL UNIQUE,
    name text NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL,
    last_used_at timestamptz,
    expires_at timestamptz,
    revoked_at timestamptz
);
CREATE INDEX ON api_keys (user_id, id) WHERE revoked_at IS NULL;

CREATE TABLE activities (
    id uuid PRIMARY KEY,
    user_id uuid NOT NULL REFERENCES users,
    at timestamptz NOT NULL,
    action text NOT NULL,
    subject_type text,
    subject_id text,
    detail text
);
CREATE INDEX ON activities (user_id, id);

CREATE TABLE idempotency (
    user_id uuid NOT NULL REFERENCES users,
    operation text NOT NULL,
    key text NOT NULL,
    input_hash bytea NOT NULL,
    result_id uuid NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (user_id, operation, key)
);

-- Updated by every transaction that tells something: room on the page keeps those updates off the index.
CREATE TABLE user_event_heads (
    user_id uuid PRIMARY KEY REFERENCES users,
    sequence bigint NOT NULL,
    at timestamptz NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE user_events (
    user_id uuid NOT NULL,
    sequence bigint NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    order_id uuid,
    subject_type text,
    payload jsonb,
    message text,
    PRIMARY KEY (user_id, sequence, at)
) PARTITION BY RANGE (at);
CREATE INDEX ON user_events (order_id, at) WHERE order_id IS NOT NULL;

CREATE TABLE leases (
    kind text NOT NULL,
    key text NOT NULL,
    holder text NOT NULL,
    epoch bigint NOT NULL,
    expires_at timestamptz NOT NULL,
    PRIMARY KEY (kind, key)
) WITH (fillfactor = 50);
"""
