"""Trading sessions and signals as rows: their columns, statements, and the conversion both ways."""

import msgspec

from domain.model.definitions import Sizing
from domain.model.markets import MarketSymbol, Timeframe
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
from infra.postgres.rows.mapper import RowMapper

_TIMEFRAMES = members_by_value(Timeframe)
_STATUSES = members_by_value(TradingSessionStatus)
_STATUS_CODES = members_by_value(TradingSessionStatusCode)
_STATES = members_by_value(TradingState)
_ACTIONS = members_by_value(SignalAction)
_PARAMETERS = msgspec.json.Decoder(tuple[ParameterValue, ...])
_SIZING = msgspec.json.Decoder(Sizing)
_RISK = msgspec.json.Decoder(RiskLimits)


def _decode_sizing(document: bytes | None) -> Sizing | None:
    return None if document is None else _SIZING.decode(document)


def _decode_risk(document: bytes | None) -> RiskLimits | None:
    return None if document is None else _RISK.decode(document)


def _decode_status_code(value: str | None) -> TradingSessionStatusCode | None:
    return None if value is None else _STATUS_CODES[value]


def _decode_markets(values: list[str]) -> tuple[MarketSymbol, ...]:
    return tuple(market_symbol(value) for value in values)


def _encode_markets(markets: tuple[MarketSymbol, ...]) -> list[str]:
    return [str(market) for market in markets]


_TRADING_SESSIONS = RowMapper(
    "trading_sessions",
    TradingSession,
    decoders={
        "market": market_symbol,
        "other_markets": _decode_markets,
        "timeframe": _TIMEFRAMES.__getitem__,
        "parameters": _PARAMETERS.decode,
        "status": _STATUSES.__getitem__,
        "sizing": _decode_sizing,
        "risk": _decode_risk,
        "trading_state": _STATES.__getitem__,
        "status_code": _decode_status_code,
    },
    encoders={
        "market": str,
        "other_markets": _encode_markets,
        "parameters": to_json,
        "sizing": to_json,
        "risk": to_json,
    },
    derived={
        "trading_state": "halt_state('TRADING_SESSION', trading_sessions.id)",
        "last_candle_at": "(SELECT max(seen.last_candle_at) FROM trading_session_candles AS seen"
        " WHERE seen.trading_session_id = trading_sessions.id)",
    },
)
_SIGNALS = RowMapper(
    "signals",
    Signal,
    decoders={"action": _ACTIONS.__getitem__, "market": market_symbol},
    encoders={"market": str},
)

SELECT_TRADING_SESSION = _TRADING_SESSIONS.select
INSERT_TRADING_SESSION = _TRADING_SESSIONS.insert()
UPDATE_TRADING_SESSION = _TRADING_SESSIONS.update("id", "user_id", "account_id", "market", "timeframe")
SELECT_SIGNAL = _SIGNALS.select
INSERT_SIGNAL = _SIGNALS.insert() + " ON CONFLICT DO NOTHING"
UPDATE_SIGNAL = _SIGNALS.update("id", "user_id", "trading_session_id", "at", "action", "market")

trading_session_from_row = _TRADING_SESSIONS.from_row
trading_session_params = _TRADING_SESSIONS.params
signal_from_row = _SIGNALS.from_row
signal_params = _SIGNALS.params
