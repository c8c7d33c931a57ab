"""The halts that hold: since when, by whom and why. Those from before are told as the log of activities knows them."""

from alembic import op

revision = "0009"
down_revision = "0008"

HALTS = """
CREATE TABLE halts (
    level text NOT NULL CHECK (level IN ('ENGINE', 'USER', 'ACCOUNT', 'TRADING_SESSION')),
    subject_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('REDUCING', 'HALTED')),
    since timestamptz NOT NULL,
    author text NOT NULL CHECK (author IN ('SELF', 'OPERATOR')),
    reason text,
    PRIMARY KEY (level, subject_id)
)"""
EARLIER = """
INSERT INTO halts (level, subject_id, state, since, author, reason)
SELECT halted.level, halted.id, halted.trading_state, coalesce(told.at, now()),
    CASE WHEN told.user_id IS DISTINCT FROM halted.user_id THEN 'OPERATOR' ELSE 'SELF' END, told.detail
FROM (
    SELECT 'ENGINE' AS level, 'Engine' AS type, 'engine' AS key, '00000000-0000-0000-0000-000000000000'::uuid AS id,
        NULL::uuid AS user_id, trading_state FROM engine_state
    UNION ALL SELECT 'USER', 'User', id::text, id, id, trading_state FROM users
    UNION ALL SELECT 'ACCOUNT', 'Account', id::text, id, user_id, trading_state FROM accounts
    UNION ALL SELECT 'TRADING_SESSION', 'TradingSession', id::text, id, user_id, trading_state FROM trading_sessions
) AS halted
LEFT JOIN LATERAL (
    SELECT at, user_id, detail FROM activities
    WHERE subject_type = halted.type AND subject_id = halted.key AND action = 'tradingHalt' ORDER BY id DESC LIMIT 1
) AS told ON true
WHERE halted.trading_state <> 'ACTIVE'"""


def upgrade() -> None:
    op.execute(HALTS)
    op.execute(EARLIER)
