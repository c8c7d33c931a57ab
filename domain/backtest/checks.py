"""The bias checks of a backtest: whether it looks ahead, and how far its warm-up leaves the indicators off.

Rules can't look ahead, and warm-ups are computed from what each function remembers; the checks show both on the
candles of a backtest, as users of other engines are used to.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from domain.backtest.engine import run_markets
from domain.backtest.market_bars import MarketBars
from domain.backtest.monte_carlo import monte_carlo
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult
from domain.core.clock import from_milliseconds
from domain.indicators.candle_arrays import CandleArrays
from domain.model.backtests import BacktestChecks, LookAheadCheck, WarmUpCheck
from domain.strategies.candle_nodes import Elsewhere
from domain.strategies.compiled import CompiledStrategy
from domain.strategies.evaluation import Evaluation
from domain.strategies.expressions import IndicatorCall, Node

CUTS = 5
"""How many shorter runs the check for a look ahead makes."""
SAMPLES = 50
"""At how many bars the check of the warm-up computes each function again."""


def run_checks(
    plan: BacktestPlan,
    markets: Sequence[MarketBars],
    start: int,
    result: BacktestResult,
    seed: int = 0,
    on_progress: Callable[[float], None] = lambda _share: None,
) -> BacktestChecks:
    """Return what all checks find about the result of `run_markets`; the random orders come from the seed."""
    return BacktestChecks(
        check_look_ahead(plan, markets, start, result, on_progress=on_progress),
        tuple(check_warm_up(plan.compiled, [market.bars.candles for market in markets])),
        monte_carlo(result.round_trips, plan.initial_equity, seed),
    )


def check_look_ahead(
    plan: BacktestPlan,
    markets: Sequence[MarketBars],
    start: int,
    result: BacktestResult,
    cuts: int = CUTS,
    on_progress: Callable[[float], None] = lambda _share: None,
) -> LookAheadCheck:
    """Compare a result's fills with those of runs over the oldest candles alone, cut at `cuts` places of the period."""
    opened = np.unique(np.concatenate([market.bars.opened for market in markets]))
    opened = opened[opened.searchsorted(start) :]
    places = sorted({len(opened) * number // (cuts + 1) for number in range(1, cuts + 1)} - {0})
    different = []
    for number, place in enumerate(places):
        end = int(opened[place])
        counts = [int(market.bars.opened.searchsorted(end)) for market in markets]
        begun = [(market, count) for market, count in zip(markets, counts, strict=True) if count]
        short = run_markets(plan, [_cut(market, count) for market, count in begun], start)
        known = {trades.market: trades.rows for trades in short.markets}
        if any(
            known.get(trades.market, ()) != tuple(row for row in trades.rows if row.bar < count)
            for trades, count in zip(result.markets, counts, strict=True)
        ):
            different.append(from_milliseconds(end))
        on_progress((number + 1) / len(places))
    return LookAheadCheck(len(places), tuple(different))


def check_warm_up(
    compiled: CompiledStrategy, markets: Sequence[CandleArrays], samples: int = SAMPLES
) -> list[WarmUpCheck]:
    """Compare each function of the rules over the warm-up of the whole strategy with itself over all candles.

    Of several markets the one counts where a function is off most.
    """
    found: dict[str, WarmUpCheck] = {}
    for candles in markets:
        for check in _warm_up_checks(compiled, candles, samples):
            known = found.get(check.function)
            if known is None or _is_worse(check, known):
                found[check.function] = check
    return sorted(found.values(), key=lambda check: (-_off(check), check.function))


def _warm_up_checks(compiled: CompiledStrategy, candles: CandleArrays, samples: int) -> Iterator[WarmUpCheck]:
    first, count = 2 * compiled.warm_up, len(candles)
    bars = np.unique(np.linspace(first, count - 1, samples).astype(np.int64)).tolist() if count > first else []
    whole = Evaluation(candles, None, compiled.sources)
    for node in _functions(compiled):
        known = whole.outputs(node) if bars else ()
        worst = 0.0
        for bar in bars:
            window = Evaluation(candles.between(bar - compiled.warm_up, bar + 1), None, compiled.sources)
            pairs = zip(window.outputs(node), known, strict=True)
            worst = max(worst, *(_deviation(series[-1], full[bar]) for series, full in pairs))
        name, own = _described(node)
        yield WarmUpCheck(name, own, len(bars), worst if np.isfinite(worst) else None)


def _is_worse(check: WarmUpCheck, known: WarmUpCheck) -> bool:
    return (check.samples > 0, _off(check)) > (known.samples > 0, _off(known))


def _off(check: WarmUpCheck) -> float:
    return float("inf") if check.deviation is None else check.deviation


def _cut(market: MarketBars, count: int) -> MarketBars:
    """Return the oldest bars, with the candles of other markets that had closed with them."""
    short = market.bars.first(count)
    if short.candles.others:
        closed = int(short.candles.closed_at[-1])
        others = {key: _until(candles, closed) for key, candles in short.candles.others.items()}
        short = replace(short, candles=replace(short.candles, others=others))
    return MarketBars(market.market, short, market.detail)


def _until(candles: CandleArrays, closed: int) -> CandleArrays:
    return candles.first(int(candles.closed_at.searchsorted(closed, side="right")))


def _functions(compiled: CompiledStrategy) -> Iterator[Node]:
    """Yield the functions of the rules, and what they read of other candles as a whole."""
    waiting: list[Node] = [rule.node for rule in (*compiled.rules.values(), *compiled.adds.values())]
    seen = set[Node]()
    while waiting:
        node = waiting.pop()
        if node in seen:
            continue
        seen.add(node)
        if isinstance(node, IndicatorCall | Elsewhere):
            yield node
        if not isinstance(node, Elsewhere):
            waiting.extend(node.children)


def _described(node: Node) -> tuple[str, int]:
    if isinstance(node, IndicatorCall):
        return f"{node.definition.name}({', '.join(f'{value:g}' for value in node.values)})", node.own_warm_up
    assert isinstance(node, Elsewhere)
    return str(node.key), 0


def _deviation(short: float, whole: float) -> float:
    if np.isnan(short) and np.isnan(whole):
        return 0.0
    if np.isnan(short) or np.isnan(whole):
        return float("inf")
    difference = abs(float(short) - float(whole))
    return difference / abs(float(whole)) if whole else difference
