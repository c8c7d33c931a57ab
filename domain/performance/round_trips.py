"""Round trips from fills: each position from opening to flat, by market and trading session."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.money import EXACT, ZERO, divide
from domain.model.markets import Market, MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import Fill, OrderRole
from domain.model.reports import Extremes, PositionSide, RoundTrip, Span
from domain.model.trading import Position
from domain.portfolio import positions

_NO_ACCOUNT = UUID(int=0)
HUNDRED = Decimal(100)

Worth = Callable[[str, Decimal, datetime], Decimal]
"""Returns the value of an amount of a currency in the report's currency at a time."""


def _unconverted(_currency: str, amount: Decimal, _moment: datetime) -> Decimal:
    return amount


@dataclass(frozen=True, slots=True)
class RoundTripInput:
    """All fills since the first, oldest first, with their markets, and the roles of the orders that were exits.

    `extremes` are the highest and lowest price of the candles during each round trip, by its index, if there are any.
    """

    fills: Sequence[Fill]
    markets: Mapping[MarketSymbol, Market]
    exit_reasons: Mapping[UUID, OrderRole]
    worth: Worth = _unconverted
    extremes: Mapping[int, Extremes] = field(default_factory=dict)


@dataclass(slots=True)
class _Leg:
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    prices: list[Decimal] = field(default_factory=list)

    def add(self, price: Decimal, quantity: Decimal) -> None:
        self.prices.append(price)
        self.quantity = EXACT.add(self.quantity, quantity)
        self.cost = EXACT.add(self.cost, EXACT.multiply(price, quantity))

    @property
    def price(self) -> Decimal | None:
        return divide(self.cost, self.quantity) if self.quantity else None


@dataclass(slots=True)
class _Trip:
    position: Position
    entry: _Leg = field(default_factory=_Leg)
    exit: _Leg = field(default_factory=_Leg)
    exit_reason: OrderRole | None = None


def round_trips(data: RoundTripInput) -> tuple[RoundTrip, ...]:
    """Return every round trip in the order of opening; `closed_at` of those still open is None.

    Profit is realised profit after fees; where a trip ends, and what is dust, is decided by
    `domain.portfolio.positions`.
    """
    return tuple(_to_round_trip(trip, data, data.extremes.get(index)) for index, trip in enumerate(_replay(data)))


def spans(data: RoundTripInput, end: datetime) -> list[Span]:
    """Return the market and the time of each round trip, in their order; those still open last until `end`."""
    trip_positions = (trip.position for trip in _replay(data))
    return [Span(position.market, position.opened_at, position.closed_at or end) for position in trip_positions]


def _replay(data: RoundTripInput) -> list["_Trip"]:
    builder = _TripBuilder(data)
    last_fills = {fill.order_id: fill.id for fill in data.fills}
    for fill in data.fills:
        builder.apply(fill, is_last=last_fills[fill.order_id] == fill.id)
    return sorted(builder.trips(), key=lambda trip: trip.position.opened_at)


class _TripBuilder:
    def __init__(self, data: RoundTripInput) -> None:
        self._data = data
        self._open: dict[tuple[MarketSymbol, UUID | None], _Trip] = {}
        self._closed: list[_Trip] = []

    def trips(self) -> list[_Trip]:
        return [*self._closed, *self._open.values()]

    def apply(self, fill: Fill, *, is_last: bool) -> None:
        """Apply a fill; what is left after the last fill of an order may be dust."""
        key, market = (fill.market, fill.trading_session_id), self._data.markets[fill.market]
        trip = self._open.get(key)
        after = positions.apply_fill(trip.position if trip else None, fill, market, _NO_ACCOUNT)
        if after is None:
            return
        if trip is None:
            trip = self._open[key] = _Trip(after)
        if fill.side is OrderSide.BUY:
            trip.entry.add(fill.price, fill.quantity)
        else:
            # What it sells beyond the position isn't the trip's.
            trip.exit.add(fill.price, min(fill.quantity, trip.position.quantity))
            trip.exit_reason = self._data.exit_reasons.get(fill.order_id, trip.exit_reason)
        is_over = is_last and positions.may_leave_dust(fill.side, fill.trading_session_id)
        trip.position = positions.close_dust(after, market, fill.price, fill.at) if is_over else after
        if trip.position.closed_at is not None:
            self._closed.append(self._open.pop(key))


def _to_round_trip(trip: _Trip, data: RoundTripInput, extremes: Extremes | None) -> RoundTrip:
    position, quote = trip.position, data.markets[trip.position.market].quote
    moment = position.closed_at or data.fills[-1].at
    percent = divide(EXACT.multiply(position.realized_profit, HUNDRED), trip.entry.cost) if trip.entry.cost else None
    return RoundTrip(
        opened_at=position.opened_at,
        closed_at=position.closed_at,
        side=PositionSide.LONG,
        quantity=trip.entry.quantity,
        entry_price=trip.entry.price or ZERO,
        exit_price=trip.exit.price,
        profit=data.worth(quote, position.realized_profit, moment),
        profit_percent=None if percent is None else float(percent),
        fees=data.worth(quote, position.fees, moment),
        exit_reason=trip.exit_reason,
        market=position.market,
        **_excursions(trip, extremes),
    )


def _excursions(trip: _Trip, extremes: Extremes | None) -> dict[str, float]:
    """Return the maximum adverse and favourable excursion from the mean entry price, in percent of it, at least 0.

    From the prices of the trip's fills and of the candles during it (J. Sweeney, Campaign Trading, 1996).
    """
    entry = trip.entry.price
    if not entry:
        return {}
    prices = [*trip.entry.prices, *trip.exit.prices]
    if extremes is not None:
        prices += [extremes.high, extremes.low]
    rise, fall = float((max(prices) - entry) / entry * 100), float((entry - min(prices)) / entry * 100)
    return {"max_adverse_excursion": max(fall, 0.0), "max_favorable_excursion": max(rise, 0.0)}


def holding_seconds(trip: RoundTrip, until: datetime) -> float:
    """Return for how long the position was open, until `until` if it still is."""
    return ((trip.closed_at or until) - trip.opened_at).total_seconds()
