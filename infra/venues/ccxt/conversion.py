"""ccxt's structures, with `number = str`, as the domain's objects."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

from domain.core.clock import from_milliseconds
from domain.core.money import ZERO, plain, round_nearest
from domain.model.markets import Candle, Market, MarketSymbol, PriceLevel, Ticker, Timeframe, Trade
from domain.model.order_side import OrderSide
from domain.model.orders import OrderStatus, OrderType
from domain.model.trading import Balance
from domain.ports.execution_client import FillReport, OrderReport

TICK_SIZE = 4
"""ccxt's precision mode in which `precision` holds increments; in the other ones it holds counts of decimals."""

Told = Mapping[str, Any]
"""A structure of ccxt: the boundary at which its fields become typed."""

T = TypeVar("T", Trade, FillReport)

_HUNDREDTH = Decimal("0.01")
_STATUSES = {
    "open": OrderStatus.OPEN,
    "closed": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELED,
    "canceling": OrderStatus.OPEN,
    "expired": OrderStatus.EXPIRED,
    "rejected": OrderStatus.REJECTED,
}
_TYPES = {
    "MARKET": OrderType.MARKET,
    "LIMIT": OrderType.LIMIT,
    "LIMIT_MAKER": OrderType.LIMIT,
    "STOP_LOSS": OrderType.STOP,
    "STOP": OrderType.STOP,
    "STOP_LOSS_LIMIT": OrderType.STOP_LIMIT,
    "STOP_LIMIT": OrderType.STOP_LIMIT,
    "TAKE_PROFIT": OrderType.TAKE_PROFIT,
    "TAKE_PROFIT_LIMIT": OrderType.TAKE_PROFIT_LIMIT,
}


def decimal(told: object) -> Decimal | None:
    """Return the exact number that was told, without trailing zeros; None where none was.

    Raises ValueError for what is no finite number: PostgreSQL would store a NaN, and take it for greater than zero.
    """
    if told is None or told == "":
        return None
    value = Decimal(str(told))
    if not value.is_finite():
        raise ValueError(f"{told!r} is not a finite number")
    return Decimal(plain(value))


def number(told: object) -> Decimal:
    """Return the exact number that was told, zero where none was."""
    return decimal(told) or ZERO


def market(venue: str, told: Told, precision_mode: int) -> Market:
    """Return the market that ccxt describes."""
    amount, cost = told["limits"]["amount"], told["limits"]["cost"]
    step = _increment(told["precision"]["amount"], precision_mode)
    return Market(
        symbol=MarketSymbol(venue, told["symbol"]),
        base=told["base"],
        quote=told["quote"],
        active=told["active"] is not False,
        price_increment=_increment(told["precision"]["price"], precision_mode),
        quantity_increment=step,
        minimum_quantity=number(amount["min"]) or step,
        maximum_quantity=decimal(amount["max"]),
        minimum_notional=decimal(cost["min"]),
        maker_fee=decimal(told["maker"]),
        taker_fee=decimal(told["taker"]),
        maximum_market_quantity=decimal((told["limits"].get("market") or {}).get("max")) or None,
    )


def trade(symbol: MarketSymbol, told: Told) -> Trade:
    """Return a public trade; raises ValueError for one that can't be: it would be the low of its candle."""
    if told["id"] in (None, ""):
        raise ValueError("a trade without an id can't be told from the others")
    return Trade(
        market=symbol,
        venue_trade_id=str(told["id"]),
        at=from_milliseconds(told["timestamp"]),
        price=positive(told["price"]),
        quantity=positive(told["amount"]),
        side=OrderSide(told["side"].upper()),
    )


def in_order(trades: Iterable[T]) -> list[T]:
    """Return trades or fills by time, those of the same millisecond by their ids.

    ccxt sorts ids as text, which puts 100 before 99.
    """
    return sorted(trades, key=lambda each: (each.at, len(each.venue_trade_id), each.venue_trade_id))


def candle(symbol: MarketSymbol, timeframe: Timeframe, told: Sequence[Any], now: datetime) -> Candle:
    """Return a candle of `[milliseconds, open, high, low, close, volume]`; it is closed where its end is past.

    Raises ValueError for one without a price, or with less than nothing traded.
    """
    opened = from_milliseconds(int(told[0]))
    prices = (positive(told[1]), positive(told[2]), positive(told[3]), positive(told[4]))
    volume = number(told[5])
    if volume < ZERO:
        raise ValueError(f"{volume} is no volume")
    return Candle(symbol, timeframe, opened, *prices, volume=volume, closed=opened + timeframe.duration <= now)


def ticker(symbol: MarketSymbol, told: Told, now: datetime) -> Ticker:
    """Return the best prices, the last trade and the day's figures, as far as they are told."""
    return Ticker(
        market=symbol,
        at=_at(told) or now,
        bid=decimal(told.get("bid")),
        ask=decimal(told.get("ask")),
        last=decimal(told.get("last")),
        volume_24h=decimal(told.get("baseVolume")),
        change_percent_24h=_percent(told.get("percentage")),
        high_24h=decimal(told.get("high")),
        low_24h=decimal(told.get("low")),
        quote_volume_24h=decimal(told.get("quoteVolume")),
    )


def _percent(told: object) -> Decimal | None:
    """Return a percentage to hundredths: ccxt computes it in floats, whose further digits mean nothing."""
    exact = decimal(told)
    return None if exact is None else round_nearest(exact, _HUNDREDTH)


def balances(told: Told) -> tuple[Balance, ...]:
    """Return what is held, in the order of the currencies."""
    found = (
        Balance(currency, number(amounts["total"]), number(amounts["free"]))
        for currency, amounts in sorted(told.items())
        if isinstance(amounts, Mapping) and "total" in amounts and currency not in {"info", "total", "free", "used"}
    )
    return tuple(balance for balance in found if balance.total)


def positive(told: object) -> Decimal:
    """Return the exact number that was told; raises ValueError unless it is above zero."""
    value = number(told)
    if value <= ZERO:
        raise ValueError(f"{told!r} is not above zero")
    return value


def fill(symbol: MarketSymbol, told: Told, client_order_id: str | None) -> FillReport:
    """Return one execution of an own order; raises ValueError for one that can't be."""
    fee = told.get("fee") or {}
    maker = told.get("takerOrMaker")
    return FillReport(
        market=symbol,
        venue_order_id=str(told["order"]),
        client_order_id=client_order_id,
        venue_trade_id=str(told["id"]),
        at=from_milliseconds(told["timestamp"]),
        side=OrderSide(told["side"].upper()),
        price=positive(told["price"]),
        quantity=positive(told["amount"]),
        fee=number(fee.get("cost")),
        fee_currency=fee.get("currency") or "",
        maker=None if maker is None else maker == "maker",
    )


def order(symbol: MarketSymbol, told: Told, client_order_id: str | None = None) -> OrderReport:
    """Return an own order; `client_order_id` is given where it is known, for a cancel's answer has its own."""
    filled = number(told.get("filled"))
    kind = order_type(told)
    own_id = client_order_id or str(told.get("clientOrderId") or "")
    return OrderReport(
        market=symbol,
        client_order_id=own_id,
        venue_order_id=str(told["id"]),
        status=_status(told, filled),
        side=OrderSide(told["side"].upper()),
        type=kind,
        quantity=number(told["amount"]),
        filled_quantity=filled,
        price=decimal(told.get("price")) if kind.has_price else None,
        stop_price=decimal(told.get("triggerPrice")) if kind.has_stop_price else None,
        at=_at(told),
        fills=tuple(in_order(fill(symbol, each, own_id) for each in _fills(told))),
    )


def order_type(told: Told) -> OrderType:
    """Return the kind of an own order: as the venue calls it where that is known, else as ccxt does."""
    raw = str(told.get("info", {}).get("type") or told.get("type") or "").upper()
    return _TYPES.get(raw) or _TYPES.get(str(told.get("type")).upper(), OrderType.LIMIT)


LevelKey = tuple[float | str, float | str]
"""A level's price and quantity as the venue told them, or as ccxt's floats."""


def levels(
    side: Sequence[Sequence[Any]], grid: Market, known: Mapping[LevelKey, PriceLevel]
) -> tuple[tuple[PriceLevel, ...], dict[LevelKey, PriceLevel]]:
    """Return a side of the book as levels, and what to give as `known` the next time; raises ValueError.

    Most levels stay as they are from one book to the next, so their objects are used again.
    """
    seen: dict[LevelKey, PriceLevel] = {}
    for row in side:
        key = (row[0], row[1])
        seen[key] = known.get(key) or _level(key, grid)
    return tuple(level for level in seen.values() if level.quantity), seen


def _level(told: LevelKey, grid: Market) -> PriceLevel:
    price, quantity = _on_grid(told[0], grid.price_increment), _on_grid(told[1], grid.quantity_increment)
    if price <= ZERO or quantity < ZERO:
        raise ValueError(f"{quantity} at {price} is no level")
    return PriceLevel(price, quantity)


def _on_grid(told: float | str, step: Decimal) -> Decimal:
    """Return a number of the book put exactly on the market's increments, which ccxt's floats may be beside.

    One that the venue wrote itself is exact, even where it is finer than the increment that was last heard of.
    """
    value = Decimal(str(told))
    if not value.is_finite():
        raise ValueError(f"{told!r} is not a finite number")
    nearest = round_nearest(value, step)
    return nearest if nearest == value or isinstance(told, float) else Decimal(plain(value))


def _fills(told: Told) -> list[Told]:
    """The fills that came with an order: in the answer to placing one they lack its facts, and all of them took."""
    common = {
        "order": told["id"],
        "side": told["side"],
        "timestamp": told.get("lastTradeTimestamp") or told.get("timestamp"),
        "takerOrMaker": "taker",
    }
    return [
        common | {name: value for name, value in each.items() if value is not None}
        for each in told.get("trades") or []
        if each.get("id") is not None
    ]


def _status(told: Told, filled: Decimal) -> OrderStatus:
    status = _STATUSES.get(str(told.get("status")), OrderStatus.OPEN)
    return OrderStatus.PARTIALLY_FILLED if status is OrderStatus.OPEN and filled else status


def _increment(told: object, precision_mode: int) -> Decimal:
    if told is None:
        return Decimal("1E-8")
    if precision_mode == TICK_SIZE:
        return Decimal(plain(Decimal(str(told))))
    return Decimal(1).scaleb(-int(str(told)))


def _at(told: Told) -> datetime | None:
    milliseconds = told.get("timestamp")
    return None if milliseconds is None else from_milliseconds(int(milliseconds))
