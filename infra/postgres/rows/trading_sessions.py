"""Trading sessions and signals as rows: their columns, and the way there and back."""

import msgspec
from asyncpg import Record

from domain.model.definitions import Sizing
from domain.model.markets import Timeframe
from domain.model.trading import (
    ParameterValue,
    RiskLimits,
    Signal,
    SignalAction,
    TradingSession,
    TradingSessionStatus,
    TradingSessionStatusCode,
)
from domain.model.trading_state import TradingState
from infra.postgres.rows.columns import market_symbol, members_by_value, to_json

SELECT_TRADING_SESSION = """
SELECT id, user_id, strategy_version_id, account_id, market, timeframe, parameters, started_at, status, sizing, risk,
    status_reason, stopped_at, trading_state, close_on_stop, last_candle_at, start_equity, status_code
FROM trading_sessions"""
INSERT_TRADING_SESSION = """
INSERT INTO trading_sessions (id, user_id, strategy_version_id, account_id, market, timeframe, parameters, started_at,
    status, sizing, risk, status_reason, stopped_at, trading_state, close_on_stop, last_candle_at, start_equity,
    status_code)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)"""
UPDATE_TRADING_SESSION = """
UPDATE trading_sessions SET strategy_version_id = $3, parameters = $7, started_at = $8, status = $9, sizing = $10,
    risk = $11, status_reason = $12, stopped_at = $13, trading_state = $14, close_on_stop = $15, last_candle_at = $16,
    start_equity = $17, status_code = $18
WHERE id = $1 AND user_id = $2 AND account_id = $4 AND market = $5 AND timeframe = $6"""

SELECT_SIGNAL = """
SELECT id, user_id, trading_session_id, at, action, price, reason, candle_at, missed, order_id FROM signals"""
INSERT_SIGNAL = """
INSERT INTO signals (id, user_id, trading_session_id, at, action, price, reason, candle_at, missed, order_id)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (trading_session_id, candle_at, action) WHERE candle_at IS NOT NULL DO NOTHING"""

_TIMEFRAMES = members_by_value(Timeframe)
_STATUSES = members_by_value(TradingSessionStatus)
_STATUS_CODES = members_by_value(TradingSessionStatusCode)
_STATES = members_by_value(TradingState)
_ACTIONS = members_by_value(SignalAction)
_PARAMETERS = msgspec.json.Decoder(tuple[ParameterValue, ...])
_SIZING = msgspec.json.Decoder(Sizing)
_RISK = msgspec.json.Decoder(RiskLimits)


def trading_session_from_row(row: Record) -> TradingSession:
    """Return the session in a row of `SELECT_TRADING_SESSION`."""
    sizing, risk, status_code = row["sizing"], row["risk"], row["status_code"]
    return TradingSession(
        id=row["id"],
        user_id=row["user_id"],
        strategy_version_id=row["strategy_version_id"],
        account_id=row["account_id"],
        market=market_symbol(row["market"]),
        timeframe=_TIMEFRAMES[row["timeframe"]],
        parameters=_PARAMETERS.decode(row["parameters"]),
        started_at=row["started_at"],
        status=_STATUSES[row["status"]],
        sizing=None if sizing is None else _SIZING.decode(sizing),
        risk=None if risk is None else _RISK.decode(risk),
        status_reason=row["status_reason"],
        stopped_at=row["stopped_at"],
        trading_state=_STATES[row["trading_state"]],
        close_on_stop=row["close_on_stop"],
        last_candle_at=row["last_candle_at"],
        start_equity=row["start_equity"],
        status_code=None if status_code is None else _STATUS_CODES[status_code],
    )


def trading_session_params(session: TradingSession) -> tuple[object, ...]:
    """Return the arguments of `INSERT_TRADING_SESSION` and `UPDATE_TRADING_SESSION`, in the order of the columns."""
    return (
        session.id,
        session.user_id,
        session.strategy_version_id,
        session.account_id,
        str(session.market),
        session.timeframe,
        to_json(session.parameters),
        session.started_at,
        session.status,
        to_json(session.sizing),
        to_json(session.risk),
        session.status_reason,
        session.stopped_at,
        session.trading_state,
        session.close_on_stop,
        session.last_candle_at,
        session.start_equity,
        session.status_code,
    )


def signal_from_row(row: Record) -> Signal:
    """Return the signal in a row of `SELECT_SIGNAL`."""
    return Signal(
        id=row["id"],
        user_id=row["user_id"],
        trading_session_id=row["trading_session_id"],
        at=row["at"],
        action=_ACTIONS[row["action"]],
        price=row["price"],
        reason=row["reason"],
        candle_at=row["candle_at"],
        missed=row["missed"],
        order_id=row["order_id"],
    )


def signal_params(signal: Signal) -> tuple[object, ...]:
    """Return the arguments of `INSERT_SIGNAL`, in the order of the columns."""
    return (
        signal.id,
        signal.user_id,
        signal.trading_session_id,
        signal.at,
        signal.action,
        signal.price,
        signal.reason,
        signal.candle_at,
        signal.missed,
        signal.order_id,
    )
