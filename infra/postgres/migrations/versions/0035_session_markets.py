"""Trading sessions over several markets: each market has its own newest candle, and each signal its market."""

from alembic import op

revision = "0035"
down_revision = "0034"

STATEMENTS = (
    """
    ALTER TABLE trading_sessions ADD COLUMN other_markets text[] COLLATE "C" NOT NULL DEFAULT '{}',
        ADD COLUMN max_open_positions integer CHECK (max_open_positions >= 1)
    """,
    "ALTER TABLE trading_sessions ALTER COLUMN other_markets DROP DEFAULT",
    """
    CREATE TABLE trading_session_candles (
        trading_session_id uuid NOT NULL REFERENCES trading_sessions,
        market text COLLATE "C" NOT NULL,
        last_candle_at timestamptz NOT NULL,
        PRIMARY KEY (trading_session_id, market)
    )
    """,
    """
    INSERT INTO trading_session_candles (trading_session_id, market, last_candle_at)
    SELECT id, market, last_candle_at FROM trading_sessions WHERE last_candle_at IS NOT NULL
    """,
    "ALTER TABLE trading_sessions DROP COLUMN last_candle_at",
    'ALTER TABLE signals ADD COLUMN market text COLLATE "C"',
    """
    UPDATE signals SET market = session.market FROM trading_sessions AS session
    WHERE session.id = signals.trading_session_id
    """,
    "ALTER TABLE signals ALTER COLUMN market SET NOT NULL",
    "DROP INDEX signals_once_a_candle",
    """
    CREATE UNIQUE INDEX signals_once_a_candle ON signals (trading_session_id, market, candle_at, action)
    WHERE candle_at IS NOT NULL
    """,
)


def upgrade() -> None:
    for statement in STATEMENTS:
        op.execute(statement)
