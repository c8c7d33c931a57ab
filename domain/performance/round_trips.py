"""Round trips from fills: each position from opening to flat, by market and trading session."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
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
_NEVER = Decimal("Infinity")

Worth = Callable[[str, Decimal, datetime], Decimal]
"""Returns the value of an amount of a currency in the report's currency at a time."""


def _unconverted(_currency: str, amount: Decimal, _moment: datetime) -> Decimal:
    return amount


@dataclass(frozen=True, slots=True)
class RoundTripInput:
    """Fills, oldest first, with their markets, and the roles of the orders that were exits.

    They are all since the first, or follow on those given before; `unfinished` are the orders that have more of them.
    """

    fills: Sequence[Fill]
    markets: Mapping[MarketSymbol, Market]
    exit_reasons: Mapping[UUID, OrderRole]
    worth: Worth = _unconverted
    unfinished: AbstractSet[UUID] = frozenset()


@dataclass(slots=True)
class _Leg:
    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    low: Decimal = _NEVER
    high: Decimal = ZERO

    def add(self, price: Decimal, quantity: Decimal) -> None:
        self.low, self.high = min(self.low, price), max(self.high, price)
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
    ledger = RoundTripLedger()
    ledger.add(data)
    return ledger.trips()


def spans(trips: Iterable[RoundTrip], end: datetime) -> dict[int, Span]:
    """Return the market and the time of each round trip by its index; those still open last until `end`."""
    return {
        index: Span(trip.market, trip.opened_at, trip.closed_at or end)
        for index, trip in enumerate(trips)
        if trip.market is not None
    }


def with_extremes(trips: Sequence[RoundTrip], extremes: Mapping[int, Extremes]) -> tuple[RoundTrip, ...]:
    """Return the round trips, whose excursions include the extremes by their index."""
    return tuple(
        replace(trip, **_wider(trip, extremes[index])) if index in extremes and trip.entry_price else trip
        for index, trip in enumerate(trips)
    )


def _wider(trip: RoundTrip, extremes: Extremes) -> dict[str, Any]:
    entry = trip.entry_price
    rise, fall = float((extremes.high - entry) / entry * 100), float((entry - extremes.low) / entry * 100)
    return {
        "max_adverse_excursion": max(fall, trip.max_adverse_excursion or 0.0),
        "max_favorable_excursion": max(rise, trip.max_favorable_excursion or 0.0),
    }


class RoundTripLedger:
    """Makes round trips of fills that are added in the order of time."""

    def __init__(self) -> None:
        self._open: dict[tuple[MarketSymbol, UUID | None], _Trip] = {}
        self._closed: list[RoundTrip] = []
        self._data = RoundTripInput([], {}, {})
        self._last_at: datetime | None = None

    def add(self, data: RoundTripInput) -> None:
        """Apply fills that follow on those before."""
        self._data = data
        last_fills = {fill.order_id: fill.id for fill in data.fills}
        for fill in data.fills:
            is_last = last_fills[fill.order_id] == fill.id and fill.order_id not in data.unfinished
            self._apply(fill, is_last=is_last)
        if data.fills:
            self._last_at = data.fills[-1].at

    def trips(self) -> tuple[RoundTrip, ...]:
        """Return every round trip in the order of opening."""
        still_open = [_to_round_trip(trip, self._data, self._last_at) for trip in self._open.values()]
        return tuple(sorted([*self._closed, *still_open], key=lambda trip: trip.opened_at))

    def drop_closed(self) -> None:
        """Forget the round trips that have ended."""
        self._closed.clear()

    def _apply(self, fill: Fill, *, is_last: bool) -> None:
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
            self._closed.append(_to_round_trip(self._open.pop(key), self._data, fill.at))


def _to_round_trip(trip: _Trip, data: RoundTripInput, last_at: datetime | None) -> RoundTrip:
    position, quote = trip.position, data.markets[trip.position.market].quote
    moment = position.closed_at or last_at or position.opened_at
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
        **_excursions(trip),
    )


def _excursions(trip: _Trip) -> dict[str, float]:
    """Return the maximum adverse and favourable excursion from the mean entry price, in percent of it, at least 0.

    From the prices of the trip's fills; `with_extremes` adds those of the candles during it (J. Sweeney, Campaign
    Trading, 1996).
    """
    entry = trip.entry.price
    if not entry:
        return {}
    low, high = min(trip.entry.low, trip.exit.low), max(trip.entry.high, trip.exit.high)
    rise, fall = float((high - entry) / entry * 100), float((entry - low) / entry * 100)
    return {"max_adverse_excursion": max(fall, 0.0), "max_favorable_excursion": max(rise, 0.0)}


def holding_seconds(trip: RoundTrip, until: datetime) -> float:
    """Return for how long the position was open, until `until` if it still is."""
    return ((trip.closed_at or until) - trip.opened_at).total_seconds()
