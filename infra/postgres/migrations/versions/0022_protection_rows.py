"""Protections and intents of the positions that are open now.

Stop-loss and take-profit prices were two columns of a position, and whether it was being closed was concluded from its
orders. Positions of trading sessions that run or failed are carried over; a position that its user kept on purpose when
the session was stopped stays without protection.
"""

from alembic import op

revision = "0022"
down_revision = "0021"

SECONDS = """(CASE timeframe WHEN 'M1' THEN 60 WHEN 'M3' THEN 180 WHEN 'M5' THEN 300 WHEN 'M15' THEN 900
    WHEN 'M30' THEN 1800 WHEN 'H1' THEN 3600 WHEN 'H2' THEN 7200 WHEN 'H4' THEN 14400 WHEN 'H6' THEN 21600
    WHEN 'H12' THEN 43200 WHEN 'D1' THEN 86400 WHEN 'W1' THEN 604800 END * interval '1 second')"""
PROTECTED = f"""
INSERT INTO position_protections (id, user_id, account_id, market, rules, created_at, trading_session_id, position_id,
    entry_quantity, reference_price, stop_loss_price, take_profit_price, watched_until, exit_at, targets_done,
    protect_at)
SELECT position.id, position.user_id, position.account_id, position.market,
    jsonb_strip_nulls(jsonb_build_object(
        'stop_loss', CASE WHEN stop_loss_price IS NOT NULL
            THEN jsonb_build_object('price', stop_loss_price::text) END,
        'take_profit', CASE WHEN take_profit_price IS NOT NULL
            THEN jsonb_build_object('price', take_profit_price::text) END,
        'maximum_bars', bars, 'timeframe', CASE WHEN bars IS NOT NULL THEN timeframe END)),
    now(), position.trading_session_id, position.id, position.quantity, position.average_price, stop_loss_price,
    take_profit_price, CASE status WHEN 'FAILED' THEN now() ELSE greatest(position.opened_at, last_candle_at) END,
    date_bin({SECONDS}, position.opened_at, timestamptz '2001-01-01 00:00:00+00') + bars * {SECONDS}, '{{}}', 'ENGINE'
FROM positions AS position
JOIN trading_sessions AS session ON session.id = position.trading_session_id
CROSS JOIN LATERAL (SELECT (definition->>'max_holding_bars')::integer AS bars FROM strategy_versions AS version
    WHERE version.id = session.strategy_version_id) AS held
WHERE closed_at IS NULL AND status <> 'STOPPED'
    AND (stop_loss_price IS NOT NULL OR take_profit_price IS NOT NULL OR bars IS NOT NULL)
"""
BEING_CLOSED = """
INSERT INTO position_intents (id, user_id, account_id, market, role, reason, since, trading_session_id, position_id,
    signal_id, order_id, tries, failures, sold, missing)
SELECT exit.id, position.user_id, position.account_id, position.market, exit.role,
    'It was being closed before the engine was upgraded.', exit.created_at, position.trading_session_id, position.id,
    exit.signal_id, exit.id, 1, 0, 0, 0
FROM positions AS position
JOIN trading_sessions AS session ON session.id = position.trading_session_id
CROSS JOIN LATERAL (SELECT id FROM orders WHERE trading_session_id = position.trading_session_id AND side = 'BUY'
    ORDER BY id DESC LIMIT 1) AS entry
CROSS JOIN LATERAL (SELECT * FROM orders WHERE parent_id = entry.id
    AND role NOT IN ('ENTRY', 'MANUAL', 'FOREIGN') ORDER BY id DESC LIMIT 1) AS exit
WHERE closed_at IS NULL AND session.status <> 'STOPPED'
"""


def upgrade() -> None:
    # No table can be altered while its rows of this transaction wait for the check of their references.
    op.execute("ALTER TABLE position_intents ADD COLUMN failures integer NOT NULL")
    op.execute(PROTECTED)
    op.execute(BEING_CLOSED)
    op.execute("ALTER TABLE positions DROP COLUMN stop_loss_price, DROP COLUMN take_profit_price")
