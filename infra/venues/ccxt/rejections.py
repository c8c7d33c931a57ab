"""Why a venue rejected an order: a reject code by ccxt's class and the venue's message, and an explanation.

Binance's texts: https://developers.binance.com/docs/binance-spot-api-docs/errors and …/filters.
"""

import re
from typing import Final, NamedTuple

from domain.model.orders import RejectCode


class _FilterReason(NamedTuple):
    code: RejectCode
    explanation: str


_PRICE_RANGE = "The price is outside of the range that the venue takes, or isn't a multiple of its price increment."
_PRICE_DISTANCE = "The price is too far from the market's present price for this venue."
_QUANTITY_RANGE = "The quantity is too small or too large for the venue, or isn't a multiple of its quantity increment."
_NOTIONAL = "The order is worth less or more than the venue takes."
_OPEN_ORDERS = "The account has as many open orders as the venue allows."
_FILTERS: Final = {
    "PRICE_FILTER": _FilterReason(RejectCode.PRICE, _PRICE_RANGE),
    "PERCENT_PRICE": _FilterReason(RejectCode.PRICE, _PRICE_DISTANCE),
    "PERCENT_PRICE_BY_SIDE": _FilterReason(RejectCode.PRICE, _PRICE_DISTANCE),
    "LOT_SIZE": _FilterReason(RejectCode.QUANTITY, _QUANTITY_RANGE),
    "MARKET_LOT_SIZE": _FilterReason(RejectCode.QUANTITY, _QUANTITY_RANGE),
    "MIN_NOTIONAL": _FilterReason(RejectCode.NOTIONAL, _NOTIONAL),
    "NOTIONAL": _FilterReason(RejectCode.NOTIONAL, _NOTIONAL),
    "MAX_POSITION": _FilterReason(RejectCode.QUANTITY, "The account would hold more than the venue allows."),
    "MAX_NUM_ORDERS": _FilterReason(RejectCode.TOO_MANY_ORDERS, _OPEN_ORDERS),
    "MAX_NUM_ALGO_ORDERS": _FilterReason(RejectCode.TOO_MANY_ORDERS, _OPEN_ORDERS),
    "MAX_NUM_ICEBERG_ORDERS": _FilterReason(RejectCode.TOO_MANY_ORDERS, _OPEN_ORDERS),
    "EXCHANGE_MAX_NUM_ORDERS": _FilterReason(RejectCode.TOO_MANY_ORDERS, _OPEN_ORDERS),
    "EXCHANGE_MAX_NUM_ALGO_ORDERS": _FilterReason(RejectCode.TOO_MANY_ORDERS, _OPEN_ORDERS),
    "TRAILING_DELTA": _FilterReason(
        RejectCode.STOP_PRICE, "The trailing distance is outside of the range that the venue takes."
    ),
}
_FILTER = re.compile(r"Filter failure: (\w+)")
_PATTERNS: Final = (
    (re.compile(r"insufficient (balance|funds|margin)", re.IGNORECASE), RejectCode.INSUFFICIENT_BALANCE),
    (re.compile(r"immediately match and take|post.?only", re.IGNORECASE), RejectCode.WOULD_TAKE),
    (
        re.compile(r"would trigger immediately|stop price|relationship of the prices", re.IGNORECASE),
        RejectCode.STOP_PRICE,
    ),
    (
        re.compile(r"market is closed|not trading|trading is (halted|suspended)", re.IGNORECASE),
        RejectCode.MARKET_CLOSED,
    ),
    (
        re.compile(r"not permitted|disabled on this account|trading is not enabled", re.IGNORECASE),
        RejectCode.NOT_PERMITTED,
    ),
    (re.compile(r"not supported|unsupported", re.IGNORECASE), RejectCode.UNSUPPORTED),
    (re.compile(r"notional|total value|order value", re.IGNORECASE), RejectCode.NOTIONAL),
    (re.compile(r"quantity|\bqty\b|\bamount\b|lot size|order size", re.IGNORECASE), RejectCode.QUANTITY),
    (re.compile(r"\bprice\b", re.IGNORECASE), RejectCode.PRICE),
    (re.compile(r"too many (open |active )?orders|open orders limit", re.IGNORECASE), RejectCode.TOO_MANY_ORDERS),
)
_CLASSES: Final = (
    ("InsufficientFunds", RejectCode.INSUFFICIENT_BALANCE),
    ("OrderImmediatelyFillable", RejectCode.WOULD_TAKE),
    ("OrderNotFillable", RejectCode.NOT_FILLABLE),
    ("NotSupported", RejectCode.UNSUPPORTED),
    ("MarketClosed", RejectCode.MARKET_CLOSED),
    ("BadSymbol", RejectCode.MARKET_CLOSED),
    ("AuthenticationError", RejectCode.NOT_PERMITTED),
    ("InvalidNonce", RejectCode.CLOCK),
    ("TooManyRequests", RejectCode.RATE_LIMITED),
)


def reject_code(names: frozenset[str], message: str) -> RejectCode:
    """Return the code by the venue's filter, by ccxt's class of the error, or by the message; else UNKNOWN."""
    filtered = _filter(message)
    if filtered is not None:
        return filtered.code
    by_class = (code for name, code in _CLASSES if name in names)
    by_pattern = (code for pattern, code in _PATTERNS if pattern.search(message))
    return next(by_class, None) or next(by_pattern, RejectCode.UNKNOWN)


def explain(message: str) -> str:
    """Return the message with an explanation before a filter's name; other messages are sentences already."""
    filtered = _filter(message)
    return message if filtered is None else f"{filtered.explanation} The venue's words: {message}"


def _filter(message: str) -> _FilterReason | None:
    found = _FILTER.search(message)
    return _FILTERS.get(found[1]) if found else None
