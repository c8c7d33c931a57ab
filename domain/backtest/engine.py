"""Runs a backtest: signals over all bars at once, then the trades that they lead to, then the figures."""

from collections.abc import Callable

import numpy as np

from domain.backtest.bars import Bars, price_ticks, with_known_tick
from domain.backtest.entries import EntryBuilder, EntryCounts
from domain.backtest.ledger import Ledger
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult, Outcome, backtest_result
from domain.backtest.simulation import Signals, Simulation
from domain.strategies.average_range import average_true_ranges
from domain.strategies.evaluation import SignalArrays


class NoBars(Exception):
    """There are no candles to trade on."""


class UnsupportedDefinition(Exception):
    """The definition has something that a backtest can't run; the message says what."""


def run_backtest(
    plan: BacktestPlan, bars: Bars, start: int = 0, on_progress: Callable[[float], None] = lambda _share: None
) -> BacktestResult:
    """Return what the strategy would have done on the bars; those before `start` only warm it up.

    The first candle that can signal is the one of bar `start`, or the first with the strategy's warm-up before it. An
    exception of `on_progress`, which is called with the share that is done, ends the run. Raises `NoBars`, and
    `UnsupportedDefinition`.
    """
    if plan.unsupported is not None:
        raise UnsupportedDefinition(plan.unsupported)
    if start >= len(bars):
        raise NoBars
    signals = _signals(plan.compiled.evaluate(bars.candles), max(start, plan.compiled.warm_up))
    market = with_known_tick(plan.costs.applied_to(plan.market), bars.candles)
    ledger = Ledger(market, plan.costs, plan.initial_equity)
    atr = average_true_ranges(bars.candles) if plan.definition.needs_atr else None
    entries = EntryBuilder(plan, ledger, atr)
    prices = price_ticks(bars.candles, market.price_increment)
    simulation = Simulation(plan, bars, prices, ledger, entries, signals)
    simulation.run(lambda bar: on_progress(bar / len(bars)))
    return backtest_result(
        Outcome(
            ledger=ledger,
            bars=bars,
            prices=prices,
            start=start,
            initial_equity=plan.initial_equity,
            open=simulation.open,
            denied=entries.counts.denied,
            rejected=simulation.rejected,
            message=_message(entries.counts),
        )
    )


def _signals(signals: SignalArrays, first: int) -> Signals:
    enter = signals.enter_long & ~signals.exit_long
    enter[:first] = False
    return Signals(np.flatnonzero(enter).tolist(), np.flatnonzero(signals.exit_long).tolist())


def _message(counts: EntryCounts) -> str | None:
    without = counts.denied + counts.not_sized
    if not without:
        return None
    return f"{without:,} entry signals led to no order; the last one because: {counts.last_reason}"
