"""Runs a backtest: signals over all bars at once, then the trades that they lead to, then the figures."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from heapq import heapify, heapreplace

from domain.backtest.bars import Bars
from domain.backtest.entries import EntryBuilder, EntryCounts
from domain.backtest.ledger import Budget, Ledger
from domain.backtest.limit_watch import LimitWatch
from domain.backtest.market_bars import MarketBars, MarketCandles
from domain.backtest.market_run import MarketRun
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult, Outcome, backtest_result
from domain.backtest.run_context import RunContext
from domain.backtest.signals import NEVER, signals_of
from domain.backtest.units import places_needed, units_of
from domain.core.clock import to_milliseconds
from domain.model.orders import Order, RiskCode
from domain.model.trading import NO_LIMITS
from domain.rules.ladder_levels import LadderLevels
from domain.strategies.average_range import average_true_ranges
from domain.strategies.evaluation import MissingCandlesError

OnProgress = Callable[[float], None]
"""Called now and then with the share that is done; an exception of it ends the run."""


class NoBars(Exception):
    """There are no candles to trade on."""


class UnsupportedDefinition(Exception):
    """The definition has something that a backtest can't run on these candles; the message says what."""


def run_backtest(
    plan: BacktestPlan, bars: Bars, start: int = 0, on_progress: OnProgress = lambda _share: None
) -> BacktestResult:
    """Return what the strategy would have done on the bars; those before `start` only warm it up.

    The first candle that can signal is the one of bar `start`, or the first with the strategy's warm-up before it.
    Raises `NoBars`, and `UnsupportedDefinition` if the rules name candles that aren't given with the bars.
    """
    if start >= len(bars):
        raise NoBars
    return run_markets(plan, [MarketBars(plan.market, bars)], int(bars.opened[start]), on_progress)


def run_part(
    plan: BacktestPlan,
    candles: Sequence[MarketCandles],
    start: datetime,
    end: datetime,
    on_progress: OnProgress = lambda _share: None,
) -> BacktestResult:
    """Return what the strategy would have done from `start` to before `end`, as if there were no later candles.

    Of the candles before `start` as many are used as warm it up. Raises as `run_markets` does.
    """
    warm_up = plan.compiled.warm_up
    markets = [MarketBars.of(one.between(start, end, warm_up)) for one in candles]
    return run_markets(plan, markets, to_milliseconds(start), on_progress)


def run_markets(
    plan: BacktestPlan, markets: Sequence[MarketBars], start: int, on_progress: OnProgress = lambda _share: None
) -> BacktestResult:
    """Return what the strategy would have done on several markets at once, with one budget, in the order of time.

    The markets have the same quote currency. Candles that open before `start`, in milliseconds since 1970, only warm it
    up. The markets may be used for any number of runs: what depends on the candles alone is computed once. Raises as
    `run_backtest` does.
    """
    if not any(len(market.bars) and market.bars.opened[-1] >= start for market in markets):
        raise NoBars
    try:
        runs: list[MarketRun] = []
        contexts = _contexts(plan, markets, start, runs)
    except MissingCandlesError as error:
        raise UnsupportedDefinition(f"The rules name {error.key}, of which there are no candles.") from None
    runs.extend(MarketRun(context, lambda: _has_place(plan, runs)) for context in contexts)
    if len(runs) == 1:
        _run_one(runs[0], on_progress)
    else:
        _run_all(runs, contexts, on_progress)
    counts = [context.entries.counts for context in contexts]
    return backtest_result(
        Outcome(
            plan=plan,
            contexts=tuple(contexts),
            start=start,
            rejected=sum(count.rejected for count in counts),
            denied=sum(count.denied for count in counts),
            message=_message(counts, sum(context.ledger.parts_unsold for context in contexts)),
        )
    )


def _contexts(
    plan: BacktestPlan, markets: Sequence[MarketBars], start: int, runs: Sequence[MarketRun]
) -> list[RunContext]:
    # A market that isn't traded any more was when its candles were made.
    with_fees = [replace(plan.costs.applied_to(market.market), active=True) for market in markets]
    quote_places = max(places_needed(market, plan.costs, [plan.initial_equity]) for market in with_fees)
    budget, contexts = Budget(0), list[RunContext]()

    def worth_elsewhere(ledger: Ledger, at: int) -> int:
        return sum(context.worth(at) for context in contexts if context.ledger is not ledger)

    def under_way() -> tuple[Order, ...]:
        return tuple(order for run in runs if (order := run.order_under_way) is not None)

    limits = None if plan.risk_limits == NO_LIMITS else LimitWatch(plan.risk_limits, contexts, start, under_way)
    for market, known in zip(markets, with_fees, strict=True):
        ledger = Ledger(known, plan.costs, units_of(known, plan.costs, quote_places), budget)
        budget.cash = ledger.units.quote_units(plan.initial_equity)
        candles = market.bars.candles
        atr = average_true_ranges(candles) if plan.definition.needs_atr else None
        entries = EntryBuilder(plan, ledger, atr, worth_elsewhere, limits)
        signals = signals_of(plan, candles, int(market.bars.opened.searchsorted(start)))
        levels = LadderLevels(plan.definition.adds, known)
        contexts.append(RunContext(plan, market.bars, market.prices, market.path, ledger, entries, signals, levels))
    return contexts


def _run_one(run: MarketRun, on_progress: OnProgress) -> None:
    count = run.count
    while run.bar < count:
        if run.is_idle:
            on_progress(run.bar / count)
        run.step()


def _run_all(runs: Sequence[MarketRun], contexts: Sequence[RunContext], on_progress: OnProgress) -> None:
    """Take the steps of all markets in the order of time, and of the given order where that is the same."""
    first = min(int(context.bars.opened[0]) for context in contexts if len(context.bars))
    last = max(int(context.bars.opened[-1]) for context in contexts if len(context.bars))
    waiting = [(*run.due, index) for index, run in enumerate(runs)]
    heapify(waiting)
    while waiting[0][0] < NEVER:
        at, _, index = waiting[0]
        run = runs[index]
        if run.is_idle:
            on_progress((at - first) / max(last - first, 1))
        run.step()
        heapreplace(waiting, (*run.due, index))


def _has_place(plan: BacktestPlan, runs: Sequence[MarketRun]) -> bool:
    most = plan.max_open_positions
    return most is None or sum(not run.is_idle for run in runs) < most


def _limited(counts: Sequence[EntryCounts]) -> Iterator[str]:
    """Yield how many entries each risk limit has denied on all markets, and the last of them."""
    for code in RiskCode:
        found = [count.limited[code] for count in counts if code in count.limited]
        if found:
            total, last = sum(one.count for one in found), max(found, key=lambda one: one.last_at)
            yield (
                f"{total:,} were denied by a risk limit, {code.value}, the last one at "
                f"{last.last_at:%Y-%m-%d %H:%M} UTC: {last.last_message}"
            )


def _message(counts: Sequence[EntryCounts], parts_unsold: int) -> str | None:
    sentences = []
    if parts_unsold:
        sentences.append(
            "Targets that were reached with a part too little for an order, so that nothing was sold: "
            f"{parts_unsold:,}."
        )
    without = sum(count.denied + count.not_sized + count.missed for count in counts)
    if without:
        reason = next(count.last_reason for count in reversed(counts) if count.last_reason is not None)
        sentences.append(f"{without:,} entry signals led to no order; the last one because: {reason}")
        sentences.extend(_limited(counts))
    return " ".join(sentences) or None
