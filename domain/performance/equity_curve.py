"""The equity curve: holdings, changed by each fill and transfer, valued at the prices of the time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import groupby
from operator import attrgetter

from domain.core.money import EXACT, ZERO
from domain.model.fill_lines import FillSums
from domain.model.markets import Market, MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import Fill
from domain.model.prices import Mark, Valuation
from domain.model.reports import EquityPoint
from domain.model.trading import AccountTransfer
from domain.performance.returns import drawdowns, growth_index

MOST_POINTS = 40_000
"""Of a longer curve not every point is kept."""

_MOMENT = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class CurveInput:
    """The input of an equity curve: holdings at the start by currency, fills, transfers and prices until the end."""

    start: datetime
    end: datetime
    holdings: Mapping[str, Decimal]
    fills: Sequence[Fill]
    marks: Sequence[Mark]
    markets: Mapping[MarketSymbol, Market]
    valuation: Valuation
    transfers: Sequence[AccountTransfer] = ()


def equity_curve(data: CurveInput) -> tuple[EquityPoint, ...]:
    """Return a point for the start, for each later mark, transfer and fill in order of time, and for the end.

    A transfer is valued at the time of the transfer. A very long curve is thinned.
    """
    return with_drawdown(thinned(curve_points(data)))


def curve_points(data: CurveInput) -> list[EquityPoint]:
    """Return all points of the curve, without their drawdown."""
    builder = _CurveBuilder(data)
    builder.add_point(data.start)
    marks = (mark for mark in data.marks if data.start < mark.at <= data.end)
    events: list[Mark | AccountTransfer | Fill] = [*marks, *data.transfers, *data.fills]
    for event in sorted(events, key=attrgetter("at")):
        builder.apply(event)
    if builder.points[-1].at < data.end:
        builder.add_point(data.end)
    return builder.points


def thinned(points: Sequence[EquityPoint]) -> Sequence[EquityPoint]:
    """Return a curve of more than `MOST_POINTS` with fewer points: of each short stretch the lowest, highest and last.

    Stretches end with the UTC day and where money was paid in or out, so that no daily return changes, and of
    drawdowns only those that begin and end within a stretch.
    """
    if len(points) <= MOST_POINTS:
        return points
    longest = -(-3 * len(points) // MOST_POINTS)
    kept: list[EquityPoint] = []
    for _, stretch in groupby(enumerate(points), key=lambda pair: _stretch(pair, longest)):
        found = [point for _, point in stretch]
        by_equity = [min(found, key=_equity), max(found, key=_equity)]
        chosen = {id(point) for point in (found[0], *by_equity, found[-1])}
        kept += [point for point in found if id(point) in chosen]
    return kept


def _stretch(pair: tuple[int, EquityPoint], longest: int) -> tuple[int, date, Decimal]:
    number, point = pair
    # A point at midnight ends the day before.
    return number // longest, (point.at - _MOMENT).astimezone(UTC).date(), point.net_deposits


def _equity(point: EquityPoint) -> Decimal:
    return point.equity


class _CurveBuilder:
    """Applies events to the holdings, with a point of the curve after each."""

    def __init__(self, data: CurveInput) -> None:
        self.points: list[EquityPoint] = []
        self._data = data
        self._holdings = dict(data.holdings)
        self._net_deposits = ZERO

    def apply(self, event: Mark | AccountTransfer | Fill) -> None:
        """Change the holdings, and add the point after that."""
        if isinstance(event, Fill):
            _apply_fill(self._holdings, event, self._data.markets)
        elif isinstance(event, AccountTransfer):
            currency, amount = event.currency, event.amount
            self._holdings[currency] = EXACT.add(self._holdings.get(currency, ZERO), amount)
            worth = self._data.valuation.worth(currency, amount, event.at)
            self._net_deposits = EXACT.add(self._net_deposits, worth)
        self.add_point(event.at)

    def add_point(self, at: datetime) -> None:
        """Add the value of the holdings at a time."""
        worth = _total_worth(self._holdings, self._data.valuation, at)
        self.points.append(EquityPoint(at, worth, 0.0, self._net_deposits))


def with_drawdown(points: Sequence[EquityPoint]) -> tuple[EquityPoint, ...]:
    """Return the points with their drawdown: how far the time-weighted return is below its highest so far."""
    falls = drawdowns(growth_index(points))
    return tuple(
        EquityPoint(point.at, point.equity, fall, point.net_deposits) for point, fall in zip(points, falls, strict=True)
    )


def replay(
    holdings: Mapping[str, Decimal], fills: Iterable[Fill], markets: Mapping[MarketSymbol, Market]
) -> dict[str, Decimal]:
    """Return the holdings by currency after the fills, given those before them.

    The currencies of a market that isn't in `markets` are taken from its symbol.
    """
    after = dict(holdings)
    for fill in fills:
        _apply_fill(after, fill, markets)
    return after


def replay_sums(
    holdings: Mapping[str, Decimal], sums: Iterable[FillSums], markets: Mapping[MarketSymbol, Market]
) -> dict[str, Decimal]:
    """Return the holdings by currency after fills that are added up; see `replay`."""
    after = dict(holdings)
    for each in sums:
        _apply(after, markets, each)
    return after


def downsample(curve: Sequence[EquityPoint], points: int) -> tuple[EquityPoint, ...]:
    """Return at most `points` points of the curve, evenly spaced, including the first and the last."""
    if len(curve) <= points:
        return tuple(curve)
    if points == 1:
        return (curve[-1],)
    last = len(curve) - 1
    return tuple(curve[round(index * last / (points - 1))] for index in range(points))


def _total_worth(holdings: Mapping[str, Decimal], valuation: Valuation, moment: datetime) -> Decimal:
    total = ZERO
    for currency, amount in holdings.items():
        if amount:
            total = EXACT.add(total, valuation.worth(currency, amount, moment))
    return total


def _apply_fill(holdings: dict[str, Decimal], fill: Fill, markets: Mapping[MarketSymbol, Market]) -> None:
    cost = EXACT.multiply(fill.price, fill.quantity)
    _apply(holdings, markets, FillSums(fill.market, fill.side, fill.fee_currency, fill.quantity, cost, fill.fee))


def _apply(holdings: dict[str, Decimal], markets: Mapping[MarketSymbol, Market], sums: FillSums) -> None:
    symbol, side, fee_currency, quantity, cost, fee = sums
    market = markets.get(symbol)
    base, _, quote = (market.base, "/", market.quote) if market else symbol.symbol.partition("/")
    gain, pay = (EXACT.add, EXACT.subtract) if side is OrderSide.BUY else (EXACT.subtract, EXACT.add)
    holdings[base] = gain(holdings.get(base, ZERO), quantity)
    holdings[quote] = pay(holdings.get(quote, ZERO), cost)
    holdings[fee_currency] = EXACT.subtract(holdings.get(fee_currency, ZERO), fee)
