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
from domain.portfolio import positions
from domain.portfolio.positions import PositionSums

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
        self.low = min(self.low, price)
        self.high = max(self.high, price)
        self.quantity = EXACT.add(self.quantity, quantity)
        self.cost = EXACT.add(self.cost, EXACT.multiply(price, quantity))

    @property
    def price(self) -> Decimal | None:
        return divide(self.cost, self.quantity) if self.quantity else None


@dataclass(slots=True)
class _Trip:
    market: Market
    opened_at: datetime
    sums: PositionSums = field(default_factory=PositionSums)
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
        last_fills = {fill.order_id: fill for fill in data.fills}
        for fill in data.fills:
            is_last = last_fills[fill.order_id] is fill and fill.order_id not in data.unfinished
            self._apply(fill, is_last=is_last)
        if data.fills:
            self._last_at = data.fills[-1].at

    def trips(self) -> tuple[RoundTrip, ...]:
        """Return every round trip in the order of opening."""
        still_open = [
            _to_round_trip(trip, self._data.worth, None, self._last_at or trip.opened_at)
            for trip in self._open.values()
        ]
        return tuple(sorted([*self._closed, *still_open], key=lambda trip: trip.opened_at))

    def drop_closed(self) -> None:
        """Forget the round trips that have ended."""
        self._closed.clear()

    def _apply(self, fill: Fill, *, is_last: bool) -> None:
        """Apply a fill; what is left after the last fill of an order may be dust."""
        key, market = (fill.market, fill.trading_session_id), self._data.markets[fill.market]
        trip, effect = self._open.get(key), positions.fill_effect(fill, market)
        if trip is None:
            if effect.quantity <= 0:
                return
            trip = self._open[key] = _Trip(market, fill.at)
        if fill.side is OrderSide.BUY:
            trip.entry.add(fill.price, fill.quantity)
        else:
            # What it sells beyond the position isn't the trip's.
            trip.exit.add(fill.price, min(fill.quantity, trip.sums.quantity))
            trip.exit_reason = self._data.exit_reasons.get(fill.order_id, trip.exit_reason)
        trip.sums.apply(effect)
        if not trip.sums.quantity or (is_last and _is_over(trip, fill)):
            del self._open[key]
            self._closed.append(_to_round_trip(trip, self._data.worth, fill.at, fill.at))


def _is_over(trip: _Trip, fill: Fill) -> bool:
    """Return whether what the last fill of an order leaves is dust, which ends the trip."""
    if not positions.may_leave_dust(fill.side, fill.trading_session_id):
        return False
    return positions.is_dust(trip.sums.quantity, trip.market, fill.price)


def _to_round_trip(trip: _Trip, worth: Worth, closed_at: datetime | None, moment: datetime) -> RoundTrip:
    sums, entry, quote = trip.sums, trip.entry, trip.market.quote
    percent = divide(EXACT.multiply(sums.realized_profit, HUNDRED), entry.cost) if entry.cost else None
    price = entry.price
    return RoundTrip(
        opened_at=trip.opened_at,
        closed_at=closed_at,
        side=PositionSide.LONG,
        quantity=entry.quantity,
        entry_price=price or ZERO,
        exit_price=trip.exit.price,
        profit=worth(quote, sums.realized_profit, moment),
        profit_percent=None if percent is None else float(percent),
        fees=worth(quote, sums.fees, moment),
        exit_reason=trip.exit_reason,
        market=trip.market.symbol,
        **_excursions(trip, price),
    )


def _excursions(trip: _Trip, entry: Decimal | None) -> dict[str, float]:
    """Return the maximum adverse and favourable excursion from the mean entry price, in percent of it, at least 0.

    From the prices of the trip's fills; `with_extremes` adds those of the candles during it (J. Sweeney, Campaign
    Trading, 1996).
    """
    if not entry:
        return {}
    low, high = min(trip.entry.low, trip.exit.low), max(trip.entry.high, trip.exit.high)
    rise, fall = float((high - entry) / entry * 100), float((entry - low) / entry * 100)
    return {"max_adverse_excursion": max(fall, 0.0), "max_favorable_excursion": max(rise, 0.0)}


def holding_seconds(trip: RoundTrip, until: datetime) -> float:
    """Return for how long the position was open, until `until` if it still is."""
    return ((trip.closed_at or until) - trip.opened_at).total_seconds()
