"""The result of a backtest from its books: the figures of a report, by what computes those."""

import hashlib
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import numpy.typing as npt

from domain.backtest.bars import Bars, PriceTicks, to_time
from domain.backtest.ledger import Ledger, OpenPosition, SimulatedFill
from domain.core.money import EXACT, ZERO, divide, plain
from domain.indicators.candle_arrays import Floats
from domain.model.orders import OrderStatus
from domain.model.reports import EquityPoint, PerformanceMetrics, PositionSide, RoundTrip
from domain.performance.equity_curve import with_drawdown
from domain.performance.metrics import MetricsInput, metrics
from domain.performance.notes import period_notes

EVEN_POINTS = 2_000
"""How many points an equity curve has at least, if there are as many bars."""

_DAY_MILLISECONDS = 86_400_000
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class BacktestResult:
    """What a backtest has found. `hash` is of all fills: the same input always gives the same one.

    `message` says how many entry signals led to no order, and why the last one didn't; None if all did.
    """

    metrics: PerformanceMetrics
    equity_curve: tuple[EquityPoint, ...]
    round_trips: tuple[RoundTrip, ...]
    fills: tuple[SimulatedFill, ...]
    hash: str
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a simulation: its books, the position that is still open, and the orders that weren't taken.

    The period begins at the open of bar `start`, with `initial_equity` in quote.
    """

    ledger: Ledger
    bars: Bars
    prices: PriceTicks
    start: int
    initial_equity: Decimal
    open: OpenPosition | None
    denied: int
    rejected: int
    message: str | None


def backtest_result(outcome: Outcome) -> BacktestResult:
    """Return the figures of a simulation."""
    ledger = outcome.ledger
    trips = _round_trips(outcome)
    curve = _equity_curve(outcome)
    fills = ledger.fills
    figures = metrics(
        MetricsInput(
            currency=ledger.market.quote,
            curve=curve,
            trips=trips,
            start_equity=outcome.initial_equity,
            turnover=_sum(fill.value for fill in fills),
            fees=_sum(trip.fees for trip in trips),
            order_counts={OrderStatus.DENIED: outcome.denied, OrderStatus.REJECTED: outcome.rejected},
            market_change_percent=_market_change(outcome),
            slippage=_sum(_slippage(fill) for fill in fills) if fills else None,
        )
    )
    figures = replace(figures, notes=period_notes(curve))
    return BacktestResult(figures, curve, trips, tuple(fills), _hash(outcome), outcome.message)


def _round_trips(outcome: Outcome) -> tuple[RoundTrip, ...]:
    trips = [_round_trip(position, closed_at, outcome.prices.tick) for position, closed_at in outcome.ledger.closed]
    if outcome.open is not None:
        trips.append(_round_trip(outcome.open, None, outcome.prices.tick))
    return tuple(trips)


def _round_trip(position: OpenPosition, closed_at: int | None, tick: Decimal) -> RoundTrip:
    entry = position.entry
    low, high, price = position.low * float(tick), position.high * float(tick), float(entry.price)
    return RoundTrip(
        opened_at=to_time(entry.at),
        closed_at=None if closed_at is None else to_time(closed_at),
        side=PositionSide.LONG,
        quantity=entry.quantity,
        entry_price=entry.price,
        exit_price=divide(position.proceeds, position.sold) if position.sold else None,
        profit=position.profit,
        profit_percent=float(divide(EXACT.multiply(position.profit, _HUNDRED), entry.value)),
        fees=position.fees,
        exit_reason=position.exit_role,
        max_adverse_excursion=max((price - low) / price * 100, 0.0),
        max_favorable_excursion=max((high - price) / price * 100, 0.0),
    )


def _equity_curve(outcome: Outcome) -> tuple[EquityPoint, ...]:
    """Return the equity at the start and at the close of chosen bars.

    Those are the last ones of all days, by which returns are computed, the two ends of the greatest drawdown between
    any two bars, and evenly spread ones.
    """
    points = [EquityPoint(to_time(int(outcome.bars.opened[outcome.start])), outcome.initial_equity, 0.0)]
    for bar in _curve_bars(outcome):
        at = to_time(int(outcome.bars.opened[bar]) + outcome.bars.milliseconds)
        points.append(EquityPoint(at, _equity(outcome, bar), 0.0))
    return with_drawdown(points)


def _equity(outcome: Outcome, bar: int) -> Decimal:
    balances = outcome.ledger.balances
    index = bisect_right(balances, bar, key=lambda balance: balance[0])
    if not index:
        return outcome.initial_equity
    _, cash, base = balances[index - 1]
    price = EXACT.multiply(outcome.prices.tick, int(outcome.prices.close[bar]))
    return EXACT.add(cash, EXACT.multiply(base, price))


def _curve_bars(outcome: Outcome) -> list[int]:
    start, end = outcome.start, len(outcome.bars)
    days = (outcome.bars.opened[start:] + outcome.bars.milliseconds - 1) // _DAY_MILLISECONDS
    chosen = [
        np.flatnonzero(np.diff(days)) + start,
        np.linspace(start, end - 1, min(EVEN_POINTS, end - start)).astype(np.int64),
        np.array(_greatest_drawdown(_equities(outcome)), dtype=np.int64) + start,
    ]
    return [int(bar) for bar in np.unique(np.concatenate(chosen))]


def _equities(outcome: Outcome) -> Floats:
    """Return the equity at the close of every bar from the start on, as floats."""
    start, end = outcome.start, len(outcome.bars)
    marks = [start, *(bar for bar, _, _ in outcome.ledger.balances), end]
    cash = [outcome.initial_equity, *(cash for _, cash, _ in outcome.ledger.balances)]
    base = [ZERO, *(base for _, _, base in outcome.ledger.balances)]
    lengths: npt.NDArray[np.int64] = np.array(marks[1:]) - np.array(marks[:-1])
    closes = outcome.prices.close[start:] * float(outcome.prices.tick)
    return np.repeat(_floats(cash), lengths) + np.repeat(_floats(base), lengths) * closes


def _greatest_drawdown(equities: Floats) -> tuple[int, ...]:
    """Return where the greatest fall from a high begins and ends, in share of the high and in currency."""
    highs = np.maximum.accumulate(equities)
    ends = [int(np.argmin(equities / highs)), int(np.argmax(highs - equities))]
    return tuple(bar for end in ends for bar in (int(np.argmax(equities[: end + 1])), end))


def _market_change(outcome: Outcome) -> float | None:
    first, last = int(outcome.prices.open[outcome.start]), int(outcome.prices.close[-1])
    return (last - first) / first * 100 if first else None


def _slippage(fill: SimulatedFill) -> Decimal:
    if fill.price == fill.arrival_price:
        return ZERO
    difference = EXACT.multiply(EXACT.subtract(fill.price, fill.arrival_price), Decimal(fill.side.sign))
    return EXACT.multiply(difference, fill.quantity)


def _hash(outcome: Outcome) -> str:
    digest = hashlib.sha256()
    for fill in outcome.ledger.fills:
        digest.update(f"{fill.at} {fill.role} {plain(fill.price)} {plain(fill.quantity)}\n".encode())
    digest.update(f"{plain(outcome.ledger.cash)} {plain(outcome.ledger.base)}".encode())
    return digest.hexdigest()


def _floats(values: Sequence[Decimal]) -> Floats:
    return np.array([float(value) for value in values])


def _sum(amounts: Iterable[Decimal]) -> Decimal:
    total = ZERO
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
