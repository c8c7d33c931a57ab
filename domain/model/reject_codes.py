"""Why a venue rejects an order, as a program can act on it."""

from enum import StrEnum


class RejectCode(StrEnum):
    """What kind of reason the venue had."""

    INSUFFICIENT_BALANCE = "INSUFFICIENT_BALANCE"
    PRICE = "PRICE"
    QUANTITY = "QUANTITY"
    NOTIONAL = "NOTIONAL"
    STOP_PRICE = "STOP_PRICE"
    WOULD_TAKE = "WOULD_TAKE"
    NOT_FILLABLE = "NOT_FILLABLE"
    TOO_MANY_ORDERS = "TOO_MANY_ORDERS"
    MARKET_CLOSED = "MARKET_CLOSED"
    UNSUPPORTED = "UNSUPPORTED"
    NOT_PERMITTED = "NOT_PERMITTED"
    CLOCK = "CLOCK"
    NOT_RECEIVED = "NOT_RECEIVED"
    UNKNOWN = "UNKNOWN"
