"""Reads a request's parameters; missing, malformed and unneeded ones raise Binance's errors."""

import re
import secrets
from enum import StrEnum
from typing import TypeVar
from urllib.parse import parse_qsl

from infra.sandbox.errors import (
    ExchangeError,
    IllegalParameterError,
    MissingParameterError,
    OrderRejectedError,
    UnneededParameterError,
)
from infra.sandbox.fixed_point import PLACES, parse_units
from infra.sandbox.matching.exchange import NewOrder
from infra.sandbox.orders import LIMIT_STOPS, PRICED_TYPES, STOP_TYPES, OrderType, SelfTrade, Side, TimeInForce

AMOUNT = re.compile(r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
CLIENT_ID = re.compile(r"^[a-zA-Z0-9-_.:/]{1,36}$")
NUMBER = re.compile(r"^[0-9]{1,18}$")
_Choice = TypeVar("_Choice", bound=StrEnum)


class Params:
    """The parameters of one request by name."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    @classmethod
    def of_query(cls, *texts: str) -> "Params":
        """Read query strings and form bodies, the first one winning."""
        values: dict[str, str] = {}
        for text in texts:
            for name, value in parse_qsl(text, keep_blank_values=True):
                values.setdefault(name, value)
        return cls(values)

    def get(self, name: str, default: str = "") -> str:
        """Return a parameter as text."""
        return self._values.get(name, default)

    def required(self, name: str) -> str:
        """Return a mandatory parameter."""
        if not (value := self.get(name)):
            raise MissingParameterError(name)
        return value

    def number(self, name: str) -> int | None:
        """Return a whole number, None if it wasn't sent."""
        value = self.get(name)
        if value and not NUMBER.match(value):
            raise IllegalParameterError(name, NUMBER.pattern)
        return int(value) if value else None

    def limit(self, default: int, most: int) -> int:
        """Return `limit`, at most `most`."""
        value = self.number("limit")
        if value == 0:
            raise ExchangeError(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(default if value is None else value, most)

    def amount(self, name: str) -> int:
        """Return an amount in units of 1e-8, 0 if it wasn't sent."""
        value = self.get(name)
        if not value:
            return 0
        if not AMOUNT.match(value):
            raise IllegalParameterError(name, AMOUNT.pattern)
        if len(value.partition(".")[2].rstrip("0")) > PLACES:
            raise ExchangeError(-1111, f"Parameter '{name}' has too much precision.")
        whole, _, fraction = value.partition(".")
        return parse_units(f"{whole}.{fraction[:PLACES]}")

    def choice(self, name: str, kinds: type[_Choice], code: int, message: str) -> _Choice:
        """Return a member of an enum, or raise the error `code` with `message`."""
        try:
            return kinds(self.required(name))
        except ValueError:
            raise ExchangeError(code, message) from None

    def client_id(self, name: str) -> str:
        """Return a client order id, or a new one if none was sent."""
        value = self.get(name)
        if value and not CLIENT_ID.match(value):
            raise IllegalParameterError(name, CLIENT_ID.pattern)
        return value or secrets.token_hex(11)


def read_order(params: Params) -> NewOrder:
    """Return the requested order; raises `ExchangeError` for a missing or unneeded parameter."""
    symbol = params.required("symbol")
    side = params.choice("side", Side, -1117, "Invalid side.")
    kind = params.choice("type", OrderType, -1116, "Invalid orderType.")
    if params.get("icebergQty"):
        raise OrderRejectedError("Iceberg orders are not supported for this symbol.")
    if params.get("trailingDelta"):
        raise OrderRejectedError("Trailing stop orders are not supported for this symbol.")
    _check_names(params, kind)
    request = NewOrder(
        symbol,
        side,
        kind,
        _time_in_force(params, kind),
        params.client_id("newClientOrderId"),
        price=params.amount("price"),
        quantity=params.amount("quantity"),
        quote_quantity=params.amount("quoteOrderQty"),
        stop_price=params.amount("stopPrice"),
        self_trade=_self_trade(params),
    )
    if kind in PRICED_TYPES and request.price == 0:
        raise ExchangeError(-1013, "Invalid price.")
    if params.get("quoteOrderQty") and request.quote_quantity == 0:
        raise ExchangeError(-1013, "Invalid quote order qty.")
    return request


def _check_names(params: Params, kind: OrderType) -> None:
    """Require what this type of order needs, and reject what it doesn't accept."""
    if kind is OrderType.MARKET:
        if bool(params.get("quantity")) == bool(params.get("quoteOrderQty")):
            raise MissingParameterError("quantity")
    else:
        params.required("quantity")
        if params.get("quoteOrderQty"):
            raise UnneededParameterError("quoteOrderQty")
    for name, applies in (("price", kind in PRICED_TYPES), ("stopPrice", kind in STOP_TYPES)):
        if applies:
            params.required(name)
        elif params.get(name):
            raise UnneededParameterError(name)
    if params.get("timeInForce") and kind not in LIMIT_STOPS | {OrderType.LIMIT}:
        raise UnneededParameterError("timeInForce")


def _time_in_force(params: Params, kind: OrderType) -> TimeInForce:
    if kind in LIMIT_STOPS or kind is OrderType.LIMIT:
        return params.choice("timeInForce", TimeInForce, -1115, "Invalid timeInForce.")
    return TimeInForce.GTC


def _self_trade(params: Params) -> SelfTrade:
    if not params.get("selfTradePreventionMode"):
        return SelfTrade.EXPIRE_MAKER
    text = "This symbol does not allow the specified self-trade prevention mode."
    return params.choice("selfTradePreventionMode", SelfTrade, -2010, text)
