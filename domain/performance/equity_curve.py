"""The equity over time: what is held, moved by every fill, valued at the prices of the moment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from domain.core.money import EXACT, ZERO
from domain.model.markets import Market, MarketSymbol
from domain.model.orders import Fill
from domain.model.prices import Mark, Valuation
from domain.model.reports import EquityPoint
from domain.model.trading import AccountTransfer
from domain.performance.returns import drawdowns, growth_index


@dataclass(frozen=True, slots=True)
class CurveInput:
    """What a curve is drawn from: holdings at the start by currency, what happened until the end, and its worth."""

    start: datetime
    end: datetime
    holdings: Mapping[str, Decimal]
    fills: Sequence[Fill]
    marks: Sequence[Mark]
    markets: Mapping[MarketSymbol, Market]
    valuation: Valuation
    transfers: Sequence[AccountTransfer] = ()


def equity_curve(given: CurveInput) -> tuple[EquityPoint, ...]:
    """Return a point for the start, one for all that happened later in order of time, and one for the end.

    What happened are marks, transfers and fills. A transfer is worth what its currency was worth at its moment.
    """
    replay = _Replay(given)
    replay.add_point(given.start)
    marks = (mark for mark in given.marks if given.start < mark.at <= given.end)
    events: list[Mark | AccountTransfer | Fill] = [*marks, *given.transfers, *given.fills]
    for event in sorted(events, key=lambda one: one.at):
        replay.take(event)
    if replay.points[-1].at < given.end:
        replay.add_point(given.end)
    return with_drawdown(replay.points)


class _Replay:
    """What is held, moved on from one moment to the next."""

    def __init__(self, given: CurveInput) -> None:
        self.points: list[EquityPoint] = []
        self._given = given
        self._holdings = dict(given.holdings)
        self._net_deposits = ZERO

    def take(self, event: Mark | AccountTransfer | Fill) -> None:
        """Move what is held, and add the point after that."""
        if isinstance(event, Fill):
            _move(self._holdings, event, self._given.markets)
        elif isinstance(event, AccountTransfer):
            currency, amount = event.currency, event.amount
            self._holdings[currency] = EXACT.add(self._holdings.get(currency, ZERO), amount)
            worth = self._given.valuation.worth(currency, amount, event.at)
            self._net_deposits = EXACT.add(self._net_deposits, worth)
        self.add_point(event.at)

    def add_point(self, at: datetime) -> None:
        """Value what is held."""
        worth = _worth(self._holdings, self._given.valuation, at)
        self.points.append(EquityPoint(at, worth, 0.0, self._net_deposits))


def with_drawdown(points: Sequence[EquityPoint]) -> tuple[EquityPoint, ...]:
    """Return the points with how far the time-weighted return is below its highest at each."""
    falls = drawdowns(growth_index(points))
    return tuple(replace(point, drawdown_percent=fall) for point, fall in zip(points, falls, strict=True))


def replay(
    holdings: Mapping[str, Decimal], fills: Iterable[Fill], markets: Mapping[MarketSymbol, Market]
) -> dict[str, Decimal]:
    """Return what is held after the fills, given what was held before them.

    The currencies of a market that isn't among `markets` are those of its name.
    """
    moved = dict(holdings)
    for fill in fills:
        _move(moved, fill, markets)
    return moved


def downsample(curve: Sequence[EquityPoint], points: int) -> tuple[EquityPoint, ...]:
    """Return at most `points` points of the curve, evenly spaced, the first and the last among them."""
    if len(curve) <= points:
        return tuple(curve)
    if points == 1:
        return (curve[-1],)
    last = len(curve) - 1
    return tuple(curve[round(index * last / (points - 1))] for index in range(points))


def _worth(holdings: Mapping[str, Decimal], valuation: Valuation, moment: datetime) -> Decimal:
    total = ZERO
    for currency, amount in holdings.items():
        total = EXACT.add(total, valuation.worth(currency, amount, moment))
    return total


def _move(holdings: dict[str, Decimal], fill: Fill, markets: Mapping[MarketSymbol, Market]) -> None:
    market, sign = markets.get(fill.market), Decimal(fill.side.sign)
    base, _, quote = (market.base, "/", market.quote) if market else fill.market.symbol.partition("/")
    cost = EXACT.multiply(fill.price, fill.quantity)
    for currency, change in (
        (base, EXACT.multiply(sign, fill.quantity)),
        (quote, EXACT.minus(EXACT.multiply(sign, cost))),
        (fill.fee_currency, EXACT.minus(fill.fee)),
    ):
        holdings[currency] = EXACT.add(holdings.get(currency, ZERO), change)
