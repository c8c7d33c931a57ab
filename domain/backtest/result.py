"""The result of a backtest from its books: the figures of a report, by what computes those."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cached_property
from operator import attrgetter, itemgetter

import numpy as np

from domain.backtest.ledger import FillRow
from domain.backtest.plan import BacktestPlan
from domain.backtest.run_context import RunContext
from domain.backtest.timeline import Timeline
from domain.backtest.trips import round_trips
from domain.backtest.units import Units
from domain.core.clock import from_milliseconds
from domain.core.money import plain
from domain.indicators.candle_arrays import Floats
from domain.model.markets import MarketSymbol
from domain.model.order_side import OrderSide
from domain.model.orders import OrderRole, OrderStatus
from domain.model.reports import EquityPoint, PerformanceMetrics, RoundTrip
from domain.performance.equity_curve import with_drawdown
from domain.performance.metrics import MetricsInput, metrics
from domain.performance.notes import period_notes

EVEN_POINTS = 2_000
"""How many points an equity curve has at least, if there are as many bars."""


@dataclass(frozen=True, slots=True)
class SimulatedFill:
    """A fill in bar `bar`, at `at` (milliseconds since 1970), with the price that its slippage is measured from.

    `value` is the price times the quantity, in quote.
    """

    bar: int
    at: int
    side: OrderSide
    role: OrderRole
    price: Decimal
    quantity: Decimal
    value: Decimal
    fee_base: Decimal
    fee_quote: Decimal
    arrival_price: Decimal
    market: MarketSymbol


@dataclass(frozen=True, slots=True)
class MarketTrades:
    """The fills and the round trips of one market."""

    market: MarketSymbol
    round_trips: tuple[RoundTrip, ...]
    tick: Decimal
    units: Units
    rows: tuple[FillRow, ...]

    @property
    def fills(self) -> Iterator[SimulatedFill]:
        """The fills, oldest first."""
        for row in self.rows:
            yield SimulatedFill(
                row.bar,
                row.at,
                row.side,
                row.role,
                self.tick * row.price,
                self.units.base(row.quantity),
                self.units.quote(row.value),
                self.units.base(row.fee_base),
                self.units.quote(row.fee_quote),
                self.tick * row.arrival,
                self.market,
            )


@dataclass(frozen=True)
class BacktestResult:
    """What a backtest has found. `hash` is of all fills: the same input always gives the same one.

    `message` says how many entry signals led to no order, why the last one didn't, and how many targets sold nothing;
    None if there were none. `round_trips` are those of all markets, in the order of their entries.
    """

    metrics: PerformanceMetrics
    equity_curve: tuple[EquityPoint, ...]
    round_trips: tuple[RoundTrip, ...]
    markets: tuple[MarketTrades, ...]
    hash: str
    message: str | None = None

    @cached_property
    def fills(self) -> tuple[SimulatedFill, ...]:
        """All fills, in the order of time."""
        numbered = [
            pair
            for market in self.markets
            for pair in zip((row.number for row in market.rows), market.fills, strict=True)
        ]
        return tuple(fill for _, fill in sorted(numbered, key=itemgetter(0)))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a run: its markets with their books, and the orders that weren't taken.

    The period begins at the first candle that opens at `start` (milliseconds since 1970) or later.
    """

    plan: BacktestPlan
    contexts: Sequence[RunContext]
    start: int
    denied: int
    rejected: int
    message: str | None


def backtest_result(outcome: Outcome) -> BacktestResult:
    """Return the figures of a run."""
    ledgers = [context.ledger for context in outcome.contexts]
    units = ledgers[0].units
    markets = [_market_trades(context) for context in outcome.contexts]
    trips = tuple(sorted((trip for market in markets for trip in market.round_trips), key=attrgetter("opened_at")))
    timeline = Timeline(outcome.contexts, outcome.start, units.quote_units(outcome.plan.initial_equity))
    curve = _equity_curve(outcome, timeline)
    figures = metrics(
        MetricsInput(
            currency=ledgers[0].market.quote,
            curve=curve,
            trips=trips,
            start_equity=outcome.plan.initial_equity,
            turnover=units.quote(sum(fill.value for ledger in ledgers for fill in ledger.fills)),
            fees=units.quote(sum(_fees(context) for context in outcome.contexts)),
            order_counts={OrderStatus.DENIED: outcome.denied, OrderStatus.REJECTED: outcome.rejected},
            market_change_percent=_market_change(outcome),
            slippage=_slippage(outcome),
        )
    )
    figures = replace(figures, notes=period_notes(curve))
    return BacktestResult(figures, curve, trips, tuple(markets), _hash(outcome), outcome.message)


def _market_trades(context: RunContext) -> MarketTrades:
    ledger = context.ledger
    return MarketTrades(
        ledger.market.symbol, tuple(round_trips(context)), context.prices.tick, ledger.units, tuple(ledger.fills)
    )


def _equity_curve(outcome: Outcome, timeline: Timeline) -> tuple[EquityPoint, ...]:
    """Return the equity at the start and at the close of chosen bars.

    Those are the last ones of all days, by which returns are computed, the two ends of the greatest drawdown between
    any two bars, and evenly spread ones.
    """
    chosen = [
        timeline.day_ends(),
        np.linspace(0, len(timeline) - 1, min(EVEN_POINTS, len(timeline))).astype(np.int64),
        np.array(_greatest_drawdown(timeline.equities()), dtype=np.int64),
    ]
    points = [EquityPoint(from_milliseconds(int(timeline.opened[0])), outcome.plan.initial_equity, 0.0)]
    points.extend(
        EquityPoint(from_milliseconds(timeline.closed_at(place)), timeline.equity(place), 0.0)
        for place in np.unique(np.concatenate(chosen)).tolist()
    )
    return with_drawdown(points)


def _greatest_drawdown(equities: Floats) -> tuple[int, ...]:
    """Return where the greatest fall from a high begins and ends, in share of the high and in currency."""
    highs = np.maximum.accumulate(equities)
    ends = [int(np.argmin(equities / highs)), int(np.argmax(highs - equities))]
    return tuple(bar for end in ends for bar in (int(np.argmax(equities[: end + 1])), end))


def _fees(context: RunContext) -> int:
    ledger = context.ledger
    return sum(position.fees for position in ledger.closed) + (ledger.open.fees if ledger.open is not None else 0)


def _market_change(outcome: Outcome) -> float | None:
    """Return the mean change of the markets from the first open to the last close, in percent."""
    changes = []
    for context in outcome.contexts:
        bar = int(context.bars.opened.searchsorted(outcome.start))
        if bar < len(context.bars) and context.path.open[bar]:
            first, last = context.path.open[bar], context.path.close[-1]
            changes.append((last - first) / first * 100)
    return sum(changes) / len(changes) if changes else None


def _slippage(outcome: Outcome) -> Decimal | None:
    ledgers = [context.ledger for context in outcome.contexts]
    if not any(ledger.fills for ledger in ledgers):
        return None
    total = 0
    for ledger in ledgers:
        for fill in ledger.fills:
            if fill.price != fill.arrival:
                total += (fill.price - fill.arrival) * fill.side.sign * fill.quantity * ledger.units.tick
    return ledgers[0].units.quote(total)


def _hash(outcome: Outcome) -> str:
    """Return the hash of all fills in whole units, with what those are, and of what the account holds at the end."""
    digest = hashlib.sha256()
    for context in outcome.contexts:
        ledger, units = context.ledger, context.ledger.units
        known = (str(ledger.market.symbol), plain(context.prices.tick), units.base_places, ledger.base)
        digest.update(f"{known}\n".encode())
        rows = [f"{row.at} {row.role} {row.price} {row.quantity}" for row in ledger.fills]
        digest.update("\n".join(rows).encode())
    digest.update(f"\n{plain(ledger.units.quote(ledger.budget.cash))}".encode())
    return digest.hexdigest()
