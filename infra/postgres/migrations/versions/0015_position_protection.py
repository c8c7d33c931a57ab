"""Protections of positions and intents to close them, as rows of their own that outlive the trading session."""

from alembic import op

revision = "0015"
down_revision = "0014"

ROLES = "('ENTRY', 'EXIT', 'STOP_LOSS', 'TAKE_PROFIT', 'TRAILING_STOP', 'CLOSE', 'MANUAL', 'FOREIGN')"
TABLES = (
    """
    CREATE TABLE position_protections (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users,
        account_id uuid NOT NULL REFERENCES accounts,
        market text COLLATE "C" NOT NULL,
        rules jsonb NOT NULL,
        created_at timestamptz NOT NULL,
        trading_session_id uuid REFERENCES trading_sessions,
        entry_order_id uuid REFERENCES orders DEFERRABLE INITIALLY DEFERRED,
        position_id uuid REFERENCES positions,
        quantity numeric,
        entry_quantity numeric NOT NULL,
        reference_price numeric,
        stop_loss_price numeric,
        take_profit_price numeric,
        high_water numeric,
        watched_until timestamptz,
        exit_at timestamptz,
        targets_done integer[] NOT NULL,
        protect_at text NOT NULL CHECK (protect_at IN ('VENUE', 'ENGINE', 'BEST')),
        venue_group_id uuid,
        ended_at timestamptz
    )
    """,
    "CREATE INDEX position_protections_open ON position_protections (account_id, id) WHERE ended_at IS NULL",
    """
    CREATE INDEX position_protections_of_position ON position_protections (position_id, id)
    WHERE position_id IS NOT NULL
    """,
    f"""
    CREATE TABLE position_intents (
        id uuid PRIMARY KEY,
        user_id uuid NOT NULL REFERENCES users,
        account_id uuid NOT NULL REFERENCES accounts,
        market text COLLATE "C" NOT NULL,
        role text NOT NULL CHECK (role IN {ROLES}),
        reason text NOT NULL,
        since timestamptz NOT NULL,
        trading_session_id uuid REFERENCES trading_sessions,
        position_id uuid REFERENCES positions,
        protection_id uuid REFERENCES position_protections,
        signal_id uuid REFERENCES signals DEFERRABLE INITIALLY DEFERRED,
        quantity numeric,
        order_id uuid REFERENCES orders DEFERRABLE INITIALLY DEFERRED,
        tries integer NOT NULL CHECK (tries >= 0),
        sold numeric NOT NULL,
        next_try_at timestamptz,
        missing numeric NOT NULL,
        last_refusal text,
        ended_at timestamptz
    )
    """,
    "CREATE INDEX position_intents_open ON position_intents (account_id, id) WHERE ended_at IS NULL",
    "CREATE INDEX position_intents_of_position ON position_intents (position_id, id) WHERE position_id IS NOT NULL",
    # One reason to close all of it at a time, and one to close a part. By hand several brackets share a position.
    """
    CREATE UNIQUE INDEX position_intents_once ON position_intents
        (account_id, market, trading_session_id, (CASE WHEN trading_session_id IS NULL THEN protection_id END))
    NULLS NOT DISTINCT WHERE ended_at IS NULL AND quantity IS NULL
    """,
    """
    CREATE UNIQUE INDEX position_intents_once_in_part ON position_intents (protection_id)
    WHERE ended_at IS NULL AND quantity IS NOT NULL
    """,
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    op.execute("ALTER TABLE positions ADD COLUMN missing numeric NOT NULL DEFAULT 0")
    op.execute("ALTER TABLE positions ALTER COLUMN missing DROP DEFAULT")
