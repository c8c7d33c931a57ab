"""ccxt's structures, with `number = str`, as the domain's objects."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeAlias, TypeVar

from domain.core.clock import from_milliseconds
from domain.core.money import EXACT, ZERO, plain, round_nearest
from domain.model.client_order_ids import OrderIdForm
from domain.model.markets import Candle, Market, MarketSymbol, Ticker, Timeframe, Trade
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus, OrderType
from domain.model.trading import Balance
from domain.ports.execution_client import FillReport, OrderReport

TICK_SIZE = 4
"""ccxt's precision mode in which `precision` holds increments; in the other ones it holds counts of decimals."""

CcxtValue: TypeAlias = Any
"""A value whose type ccxt doesn't declare; this module and `user_stream` turn such values into typed ones."""

CcxtStructure = Mapping[str, Any]
"""One of ccxt's unified structures: https://docs.ccxt.com/#/?id=unified-api."""

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


def decimal(value: object) -> Decimal | None:
    """Return the exact number without trailing zeros; None for None and an empty text.

    Raises ValueError unless it is finite: PostgreSQL would store a NaN, and treat it as greater than any number.
    """
    if value is None or value == "":
        return None
    exact = Decimal(str(value))
    if not exact.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return Decimal(plain(exact))


def number(value: object) -> Decimal:
    """Return the exact number, zero for None and an empty text."""
    return decimal(value) or ZERO


@dataclass(frozen=True, slots=True)
class MarketRules:
    """What a venue says of orders at the market's price and ccxt leaves in its own structure."""

    maximum_market_quantity: Decimal | None = None
    notional_at_market: bool = True


NO_MARKET_RULES = MarketRules()


def market(venue: str, data: CcxtStructure, precision_mode: int, rules: MarketRules = NO_MARKET_RULES) -> Market:
    """Return the market that ccxt describes, with what its venue says besides."""
    amount, cost = data["limits"]["amount"], data["limits"]["cost"]
    at_market = data["limits"].get("market") or {}
    step = _increment(data["precision"]["amount"], precision_mode)
    return Market(
        symbol=MarketSymbol(venue, data["symbol"]),
        base=data["base"],
        quote=data["quote"],
        active=data["active"] is not False,
        price_increment=_increment(data["precision"]["price"], precision_mode),
        quantity_increment=step,
        minimum_quantity=number(amount["min"]) or step,
        maximum_quantity=decimal(amount["max"]),
        minimum_notional=decimal(cost["min"]),
        maker_fee=decimal(data["maker"]),
        taker_fee=decimal(data["taker"]),
        maximum_market_quantity=decimal(at_market.get("max")) or rules.maximum_market_quantity or None,
        minimum_market_quantity=decimal(at_market.get("min")) or None,
        notional_at_market=rules.notional_at_market,
    )


def trade(symbol: MarketSymbol, data: CcxtStructure) -> Trade:
    """Return a public trade; raises ValueError without an id, or unless price and quantity are above zero."""
    if data["id"] in (None, ""):
        raise ValueError("a trade without an id can't be distinguished from others")
    return Trade(
        market=symbol,
        venue_trade_id=str(data["id"]),
        at=from_milliseconds(data["timestamp"]),
        price=positive(data["price"]),
        quantity=positive(data["amount"]),
        side=OrderSide(data["side"].upper()),
    )


def sort_trades(trades: Iterable[T]) -> list[T]:
    """Return trades or fills by time, those of the same millisecond by their ids.

    ccxt sorts ids as text, which puts 100 before 99.
    """
    return sorted(trades, key=lambda trade: (trade.at, len(trade.venue_trade_id), trade.venue_trade_id))


def candle(symbol: MarketSymbol, timeframe: Timeframe, row: Sequence[Any], now: datetime) -> Candle:
    """Return a candle of `[milliseconds, open, high, low, close, volume]`; it is closed if it ends by `now`.

    Raises ValueError if a price is missing or not above zero, or the volume is negative.
    """
    opened = from_milliseconds(int(row[0]))
    prices = (positive(row[1]), positive(row[2]), positive(row[3]), positive(row[4]))
    volume = number(row[5])
    if volume < ZERO:
        raise ValueError(f"{volume} is no volume")
    return Candle(symbol, timeframe, opened, *prices, volume=volume, closed=opened + timeframe.duration <= now)


def ticker(symbol: MarketSymbol, data: CcxtStructure, now: datetime) -> Ticker:
    """Return the best prices, the last trade and the day's figures; None for those that are missing."""
    return Ticker(
        market=symbol,
        at=_at(data) or now,
        bid=decimal(data.get("bid")),
        ask=decimal(data.get("ask")),
        last=decimal(data.get("last")),
        volume_24h=decimal(data.get("baseVolume")),
        change_percent_24h=_percent(data.get("percentage")),
        high_24h=decimal(data.get("high")),
        low_24h=decimal(data.get("low")),
        quote_volume_24h=decimal(data.get("quoteVolume")),
    )


def _percent(value: object) -> Decimal | None:
    """Return a percentage to hundredths: ccxt computes it in floats, whose further digits mean nothing."""
    exact = decimal(value)
    return None if exact is None else round_nearest(exact, _HUNDREDTH)


def balances(data: CcxtStructure) -> tuple[Balance, ...]:
    """Return the balances that aren't zero, sorted by currency, as of the venue's time if it reports one.

    What the venue doesn't report isn't 0: `free` is None where it reports the total alone.
    """
    at = _at(data)
    found = (
        Balance(currency, _total(amounts), decimal(amounts.get("free")), at)
        for currency, amounts in sorted(data.items())
        if isinstance(amounts, Mapping) and "total" in amounts and currency not in {"info", "total", "free", "used"}
    )
    return tuple(balance for balance in found if balance.total)


def _total(amounts: CcxtStructure) -> Decimal:
    """Return what is held, from its parts if need be; raises ValueError if the venue reports neither."""
    total, free, used = (decimal(amounts.get(name)) for name in ("total", "free", "used"))
    if total is None and free is not None and used is not None:
        total = EXACT.add(free, used)
    return required(total)


def required(value: object) -> Decimal:
    """Return the exact number; raises ValueError for None and an empty text, which don't mean zero here."""
    exact = decimal(value)
    if exact is None:
        raise ValueError("a number that is needed isn't reported")
    return exact


def positive(value: object) -> Decimal:
    """Return the exact number; raises ValueError unless it is above zero."""
    exact = number(value)
    if exact <= ZERO:
        raise ValueError(f"{value!r} is not above zero")
    return exact


def fill(symbol: MarketSymbol, data: CcxtStructure, client_order_id: str | None) -> FillReport:
    """Return one execution of an own order; raises ValueError unless price and quantity are above zero."""
    fee = data.get("fee") or {}
    maker = data.get("takerOrMaker")
    return FillReport(
        market=symbol,
        venue_order_id=str(data["order"]),
        client_order_id=client_order_id,
        venue_trade_id=str(data["id"]),
        at=from_milliseconds(data["timestamp"]),
        side=OrderSide(data["side"].upper()),
        price=positive(data["price"]),
        quantity=positive(data["amount"]),
        fee=number(fee.get("cost")),
        fee_currency=fee.get("currency") or "",
        maker=None if maker is None else maker == "maker",
    )


@dataclass(frozen=True, slots=True)
class OrderReading:
    """What a venue's orders need to be read: the form of its client order ids, and its own statuses.

    `statuses` are those by the value of `status_field` in the venue's own structure; ccxt's are used for all others.
    """

    ids: OrderIdForm = OrderIdForm.PREFIXED
    status_field: str = ""
    statuses: Mapping[str, OrderStatus] = field(default_factory=dict)


PLAIN_READING = OrderReading()


def order(
    symbol: MarketSymbol, data: CcxtStructure, own: Order | None = None, reading: OrderReading = PLAIN_READING
) -> OrderReport:
    """Return an order of the account.

    What an answer about our `own` order leaves out is taken from the order: some venues answer with an id alone, and a
    cancel's answer has a client order id of its own. Raises ValueError for an answer without an id, for an order of
    others without a quantity, and for one that has ended without saying how much of it was filled.
    """
    if data.get("id") in {None, ""}:
        raise ValueError("the answer has no order id")
    kind = order_type(data) if own is None else own.type
    own_id = reading.ids.from_venue(str(data.get("clientOrderId") or "")) if own is None else own.client_order_id
    quantity = _quantity(data) if own is None else own.quantity
    status, filled = _status_and_filled(data, quantity, reading)
    return OrderReport(
        market=symbol,
        client_order_id=own_id,
        venue_order_id=str(data["id"]),
        status=status,
        side=OrderSide(data["side"].upper()) if own is None else own.side,
        type=kind,
        quantity=quantity,
        filled_quantity=filled,
        price=decimal(data.get("price")) if kind.has_price else None,
        stop_price=decimal(data.get("triggerPrice")) if kind.has_stop_price else None,
        at=_at(data),
        fills=tuple(sort_trades(fill(symbol, trade_data, own_id) for trade_data in _fills(data))),
        triggered=kind.waits_for_trigger and _is_working(data),
    )


def _is_working(data: CcxtStructure) -> bool:
    """Return whether Binance says that a stop has become an order on its book; False if the venue doesn't say."""
    working_since = (data.get("info") or {}).get("workingTime")
    return working_since is not None and int(working_since) >= 0


def _quantity(data: CcxtStructure) -> Decimal:
    """Return the quantity of somebody else's order; raises ValueError for one that is sized in quote."""
    amount, filled, remaining = (decimal(data.get(name)) for name in ("amount", "filled", "remaining"))
    if amount is None and filled is not None and remaining is not None:
        amount = EXACT.add(filled, remaining)
    if amount is None:
        raise ValueError("the order has no quantity in base")
    return amount


def _status_and_filled(data: CcxtStructure, quantity: Decimal, reading: OrderReading) -> tuple[OrderStatus, Decimal]:
    raw = str((data.get("info") or {}).get(reading.status_field))
    status = reading.statuses.get(raw) or _STATUSES.get(str(data.get("status")), OrderStatus.OPEN)
    filled = decimal(data.get("filled"))
    if filled is None:
        if status in {OrderStatus.CANCELED, OrderStatus.EXPIRED}:
            raise ValueError("the order has ended, and what was filled of it isn't reported")
        filled = quantity if status is OrderStatus.FILLED else ZERO
    return OrderStatus.PARTIALLY_FILLED if status is OrderStatus.OPEN and filled else status, filled


def order_type(data: CcxtStructure) -> OrderType:
    """Return the type of an own order: by the venue's own name if we know it, else by ccxt's."""
    raw = str(data.get("info", {}).get("type") or data.get("type") or "").upper()
    return _TYPES.get(raw) or _TYPES.get(str(data.get("type")).upper(), OrderType.LIMIT)


def _fills(data: CcxtStructure) -> list[CcxtStructure]:
    """Return an order's fills. Those of a new order lack the order's fields, and all of them took liquidity."""
    common = {
        "order": data["id"],
        "side": data.get("side"),
        "timestamp": data.get("lastTradeTimestamp") or data.get("timestamp"),
        "takerOrMaker": "taker",
    }
    return [
        common | {name: value for name, value in trade_data.items() if value is not None}
        for trade_data in data.get("trades") or []
        if trade_data.get("id") is not None
    ]


def _increment(value: object, precision_mode: int) -> Decimal:
    if value is None:
        return Decimal("1E-8")
    if precision_mode == TICK_SIZE:
        return Decimal(plain(Decimal(str(value))))
    return Decimal(1).scaleb(-int(str(value)))


def _at(data: CcxtStructure) -> datetime | None:
    milliseconds = data.get("timestamp")
    return None if milliseconds is None else from_milliseconds(int(milliseconds))
