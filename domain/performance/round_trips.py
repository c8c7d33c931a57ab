"""Round trips out of the fill ledger: each position from opening to flat, by market and trading session."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.core.money import EXACT, ZERO, divide
from domain.model.markets import Market, MarketSymbol
from domain.model.orders import Fill, OrderRole
from domain.model.reports import Extremes, PositionSide, RoundTrip, Span
from domain.model.trading import Position
from domain.portfolio import positions

_NOBODY = UUID(int=0)
HUNDRED = Decimal(100)

Worth = Callable[[str, Decimal, datetime], Decimal]
"""Tells what an amount of a currency is worth in the report's at a moment."""


def _as_it_is(_currency: str, amount: Decimal, _moment: datetime) -> Decimal:
    return amount


@dataclass(frozen=True, slots=True)
class RoundTripInput:
    """Fills from the first on, oldest first, with their markets, and why the orders that closed something existed.

    `extremes` are those of the candles during each round trip, by its place, where there are any.
    """

    fills: Sequence[Fill]
    markets: Mapping[MarketSymbol, Market]
    exit_reasons: Mapping[UUID, OrderRole]
    worth: Worth = _as_it_is
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
    side: PositionSide
    entry: _Leg = field(default_factory=_Leg)
    exit: _Leg = field(default_factory=_Leg)
    exit_reason: OrderRole | None = None


def round_trips(ledger: RoundTripInput) -> tuple[RoundTrip, ...]:
    """Return every round trip in the order of its opening; those still open come with `closed_at` None.

    Profit is what was realised after fees; the rules of `domain.portfolio.positions` decide where a trip ends, dust
    included.
    """
    return tuple(_told(trip, ledger, ledger.extremes.get(place)) for place, trip in enumerate(_replayed(ledger)))


def spans(ledger: RoundTripInput, end: datetime) -> list[Span]:
    """Return when and where each round trip was, in their order; those still open last until `end`."""
    positions_of_trips = (trip.position for trip in _replayed(ledger))
    return [Span(one.market, one.opened_at, one.closed_at or end) for one in positions_of_trips]


def _replayed(ledger: RoundTripInput) -> list["_Trip"]:
    replay = _Replay(ledger)
    last_fills = {fill.order_id: fill.id for fill in ledger.fills}
    for fill in ledger.fills:
        replay.take(fill, is_last=last_fills[fill.order_id] == fill.id)
    return sorted(replay.trips(), key=lambda trip: trip.position.opened_at)


class _Replay:
    def __init__(self, ledger: RoundTripInput) -> None:
        self._ledger = ledger
        self._open: dict[tuple[MarketSymbol, UUID | None], _Trip] = {}
        self._closed: list[_Trip] = []

    def trips(self) -> list[_Trip]:
        return [*self._closed, *self._open.values()]

    def take(self, fill: Fill, *, is_last: bool) -> None:
        """Count a fill; what the last fill of an order leaves may be dust, since nothing of that order follows."""
        key, market = (fill.market, fill.trading_session_id), self._ledger.markets[fill.market]
        trip = self._open.get(key)
        *ended, after = positions.apply_fill(trip.position if trip else None, fill, market, _NOBODY)
        rest = fill.quantity
        if trip is not None and ended:
            # The fill goes through flat: a part of it closes this trip, and the rest opens one on the other side.
            rest = min(abs(after.quantity), fill.quantity)
            self._count(trip, fill, EXACT.subtract(fill.quantity, rest))
            self._settle(key, trip, ended[0])
            trip = None
        if trip is None:
            trip = self._open[key] = _Trip(after, _side(fill))
        self._count(trip, fill, rest)
        self._settle(key, trip, positions.close_dust(after, market, fill.price, fill.at) if is_last else after)

    def _count(self, trip: _Trip, fill: Fill, quantity: Decimal) -> None:
        if _side(fill) is trip.side:
            trip.entry.add(fill.price, quantity)
            return
        trip.exit.add(fill.price, quantity)
        trip.exit_reason = self._ledger.exit_reasons.get(fill.order_id, trip.exit_reason)

    def _settle(self, key: tuple[MarketSymbol, UUID | None], trip: _Trip, position: Position) -> None:
        trip.position = position
        if position.closed_at is not None:
            self._closed.append(self._open.pop(key))


def _side(fill: Fill) -> PositionSide:
    return PositionSide.LONG if fill.side.sign > 0 else PositionSide.SHORT


def _told(trip: _Trip, ledger: RoundTripInput, extremes: Extremes | None) -> RoundTrip:
    position, quote = trip.position, ledger.markets[trip.position.market].quote
    moment = position.closed_at or ledger.fills[-1].at
    percent = divide(EXACT.multiply(position.realized_profit, HUNDRED), trip.entry.cost) if trip.entry.cost else None
    return RoundTrip(
        opened_at=position.opened_at,
        closed_at=position.closed_at,
        side=trip.side,
        quantity=trip.entry.quantity,
        entry_price=trip.entry.price or ZERO,
        exit_price=trip.exit.price,
        profit=ledger.worth(quote, position.realized_profit, moment),
        profit_percent=None if percent is None else float(percent),
        fees=ledger.worth(quote, position.fees, moment),
        exit_reason=trip.exit_reason,
        **_excursions(trip, extremes),
    )


def _excursions(trip: _Trip, extremes: Extremes | None) -> dict[str, float]:
    """Return how far the price went against the mean entry and with it, in percent of that, neither below 0.

    Of the trip's own fills, and of the candles during it where there are any (maximum adverse and favourable excursion:
    J. Sweeney, Campaign Trading, 1996).
    """
    entry = trip.entry.price
    if not entry:
        return {}
    prices = [*trip.entry.prices, *trip.exit.prices]
    if extremes is not None:
        prices += [extremes.high, extremes.low]
    risen, fallen = float((max(prices) - entry) / entry * 100), float((entry - min(prices)) / entry * 100)
    adverse, favorable = (fallen, risen) if trip.side is PositionSide.LONG else (risen, fallen)
    return {"max_adverse_excursion": max(adverse, 0.0), "max_favorable_excursion": max(favorable, 0.0)}


def holding_seconds(trip: RoundTrip, until: datetime) -> float:
    """Return how long the position was open, up to `until` where it still is."""
    return ((trip.closed_at or until) - trip.opened_at).total_seconds()
