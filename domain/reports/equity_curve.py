"""The equity over time: what is held, moved by every fill, valued at the prices of the moment."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from domain.markets.types import Candle, Market, MarketSymbol
from domain.money import EXACT, ZERO
from domain.orders.types import Fill
from domain.reports.types import EquityPoint
from domain.trading.equity import equity
from domain.trading.types import Balance


@dataclass(frozen=True, slots=True)
class Mark:
    """The price of a market at a moment, in quote per base."""

    at: datetime
    market: MarketSymbol
    price: Decimal


@dataclass(frozen=True, slots=True)
class CurveInput:
    """What a curve is drawn from: holdings at the start by currency, fills and marks, each oldest first."""

    venue: str
    currency: str
    start: datetime
    holdings: Mapping[str, Decimal]
    fills: Sequence[Fill]
    marks: Sequence[Mark]
    markets: Mapping[MarketSymbol, Market]


def marks_of(candles: Iterable[Candle]) -> list[Mark]:
    """Return each candle's close as the price at its end."""
    return [Mark(candle.close_time, candle.market, candle.close) for candle in candles]


def equity_curve(given: CurveInput) -> tuple[EquityPoint, ...]:
    """Return a point for the start, every mark and every fill at which all holdings can be priced, in order of time."""
    replay = _Replay(given)
    points = []
    happenings: list[Mark | Fill] = [*given.marks, *given.fills]
    happenings.sort(key=lambda happening: happening.at)
    moments: list[tuple[datetime, Mark | Fill | None]] = [(given.start, None)]
    moments += [(happening.at, happening) for happening in happenings]
    for at, happening in moments:
        replay.take(happening)
        worth = replay.worth()
        if worth is not None:
            points.append((at, worth))
    return _with_drawdown(points)


def undo(
    holdings: Mapping[str, Decimal], fills: Iterable[Fill], markets: Mapping[MarketSymbol, Market]
) -> dict[str, Decimal]:
    """Return what was held before the fills, given what is held after them."""
    before = dict(holdings)
    for fill in fills:
        for currency, change in _changes(fill, markets[fill.market]):
            before[currency] = EXACT.subtract(before.get(currency, ZERO), change)
    return before


class _Replay:
    def __init__(self, given: CurveInput) -> None:
        self._given = given
        self._holdings = dict(given.holdings)
        self._prices: dict[MarketSymbol, Decimal] = {}
        for mark in reversed(given.marks):
            # Until a market's first mark its price is the first that is known of it.
            self._prices[mark.market] = mark.price

    def take(self, step: Mark | Fill | None) -> None:
        if step is None:
            return
        self._prices[step.market] = step.price
        if isinstance(step, Fill):
            for currency, change in _changes(step, self._given.markets[step.market]):
                self._holdings[currency] = EXACT.add(self._holdings.get(currency, ZERO), change)

    def worth(self) -> Decimal | None:
        balances = (Balance(currency, amount, amount) for currency, amount in self._holdings.items())
        return equity(self._given.venue, self._given.currency, balances, self._prices.get)


def _changes(fill: Fill, market: Market) -> tuple[tuple[str, Decimal], ...]:
    sign = Decimal(fill.side.sign)
    cost = EXACT.multiply(fill.price, fill.quantity)
    return (
        (market.base, EXACT.multiply(sign, fill.quantity)),
        (market.quote, EXACT.minus(EXACT.multiply(sign, cost))),
        (fill.fee_currency, EXACT.minus(fill.fee)),
    )


def _with_drawdown(points: Sequence[tuple[datetime, Decimal]]) -> tuple[EquityPoint, ...]:
    highest = points[0][1] if points else ZERO
    curve = []
    for at, worth in points:
        highest = max(highest, worth)
        drawdown = float((highest - worth) / highest * 100) if highest > 0 else 0.0
        curve.append(EquityPoint(at, worth, drawdown))
    return tuple(curve)


def thinned(curve: Sequence[EquityPoint], points: int) -> tuple[EquityPoint, ...]:
    """Return at most `points` points of the curve, evenly spaced, the first and the last among them."""
    if len(curve) <= points:
        return tuple(curve)
    if points == 1:
        return (curve[-1],)
    last = len(curve) - 1
    return tuple(curve[round(index * last / (points - 1))] for index in range(points))
