"""Round trips out of the fill ledger: each position from opening to flat, by market and trading session."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from domain.markets.types import Market, MarketSymbol
from domain.money import EXACT, ZERO, divide
from domain.orders.types import Fill
from domain.reports.types import PositionSide, RoundTrip
from domain.trading import positions
from domain.trading.types import Position

_NOBODY = UUID(int=0)
HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Ledger:
    """The fills of a report, oldest first, with the markets that they happened on and why their orders existed."""

    fills: Sequence[Fill]
    markets: Mapping[MarketSymbol, Market]
    exit_reasons: Mapping[UUID, str]


@dataclass(slots=True)
class _Leg:
    quantity: Decimal = ZERO
    cost: Decimal = ZERO

    def add(self, fill: Fill) -> None:
        self.quantity = EXACT.add(self.quantity, fill.quantity)
        self.cost = EXACT.add(self.cost, EXACT.multiply(fill.price, fill.quantity))

    @property
    def price(self) -> Decimal | None:
        return divide(self.cost, self.quantity) if self.quantity else None


@dataclass(slots=True)
class _Trip:
    position: Position
    side: PositionSide
    bought: _Leg = field(default_factory=_Leg)
    sold: _Leg = field(default_factory=_Leg)
    exit_reason: str | None = None


def round_trips(ledger: Ledger) -> tuple[RoundTrip, ...]:
    """Return every round trip in the order of its opening; those still open come with `closed_at` None.

    Profit is realised profit after fees, in the market's quote currency; the rules of `domain.trading.positions` decide
    where a trip ends, dust included.
    """
    last_fills = {fill.order_id: fill.id for fill in ledger.fills}
    open_trips: dict[tuple[MarketSymbol, UUID | None], _Trip] = {}
    done: list[_Trip] = []
    for fill in ledger.fills:
        key = (fill.market, fill.trading_session_id)
        is_last = last_fills[fill.order_id] == fill.id
        done += _apply(open_trips, key, fill, ledger, is_last=is_last)
    trips = sorted([*done, *open_trips.values()], key=lambda trip: trip.position.opened_at)
    return tuple(_told(trip) for trip in trips)


def _apply(
    open_trips: dict[tuple[MarketSymbol, UUID | None], _Trip],
    key: tuple[MarketSymbol, UUID | None],
    fill: Fill,
    ledger: Ledger,
    *,
    is_last: bool,
) -> list[_Trip]:
    market = ledger.markets[fill.market]
    trip = open_trips.get(key)
    *ended, after = positions.apply_fill(trip.position if trip else None, fill, market, _NOBODY)
    done = []
    if trip is not None:
        _count(trip, fill, ledger)
        for position in ended:
            trip.position = position
            done.append(open_trips.pop(key))
    if key not in open_trips:
        side = PositionSide.LONG if fill.side.sign > 0 else PositionSide.SHORT
        open_trips[key] = _Trip(after, side)
        _count(open_trips[key], fill, ledger)
    current = open_trips[key]
    current.position = positions.close_dust(after, market, fill.price, fill.at) if is_last else after
    if current.position.closed_at is not None:
        done.append(open_trips.pop(key))
    return done


def _count(trip: _Trip, fill: Fill, ledger: Ledger) -> None:
    opens = (fill.side.sign > 0) == (trip.side is PositionSide.LONG)
    leg = trip.bought if fill.side.sign > 0 else trip.sold
    leg.add(fill)
    if not opens:
        trip.exit_reason = ledger.exit_reasons.get(fill.order_id, trip.exit_reason)


def _told(trip: _Trip) -> RoundTrip:
    is_long = trip.side is PositionSide.LONG
    entry, exit_ = (trip.bought, trip.sold) if is_long else (trip.sold, trip.bought)
    position = trip.position
    profit = position.realized_profit
    return RoundTrip(
        opened_at=position.opened_at,
        closed_at=position.closed_at,
        side=trip.side,
        quantity=entry.quantity,
        entry_price=entry.price or ZERO,
        exit_price=exit_.price,
        profit=profit,
        profit_percent=float(divide(EXACT.multiply(profit, HUNDRED), entry.cost)) if entry.cost else None,
        fees=position.fees,
        exit_reason=trip.exit_reason,
    )


def holding_seconds(trip: RoundTrip, until: datetime) -> float:
    """Return how long the position was open, up to `until` where it still is."""
    return ((trip.closed_at or until) - trip.opened_at).total_seconds()
