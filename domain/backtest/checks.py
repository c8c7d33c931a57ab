"""The bias checks of a backtest: whether it looks ahead, and how far its warm-up leaves the indicators off.

Rules can't look ahead, and warm-ups are computed from what each function remembers; the checks show both on the
candles of a backtest, as users of other engines are used to.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from domain.backtest.bars import Bars
from domain.backtest.engine import run_markets
from domain.backtest.market_bars import MarketBars
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult
from domain.core.clock import from_milliseconds
from domain.indicators.candle_arrays import CandleArrays
from domain.strategies.candle_nodes import Elsewhere
from domain.strategies.compiled import CompiledStrategy
from domain.strategies.evaluation import Evaluation
from domain.strategies.expressions import IndicatorCall, Node

CUTS = 5
"""How many shorter runs the check for a look ahead makes."""
SAMPLES = 50
"""At how many bars the check of the warm-up computes each function again."""


@dataclass(frozen=True, slots=True)
class LookAheadCheck:
    """The runs over candles that end early: how many, and the ends of those whose trades until then differ."""

    runs: int
    different: tuple[datetime, ...]


@dataclass(frozen=True, slots=True)
class WarmUpCheck:
    """How far a function's value after its warm-up alone is off that over all candles before it.

    `deviation` is the greatest one found, as a fraction of the value, or absolute where that is zero. `samples` is at
    how many bars it was computed: none if there are too few candles.
    """

    function: str
    candles: int
    samples: int
    deviation: float


def check_look_ahead(
    plan: BacktestPlan,
    bars: Bars,
    start: int,
    result: BacktestResult,
    cuts: int = CUTS,
    detail: Bars | None = None,
    on_progress: Callable[[float], None] = lambda _share: None,
) -> LookAheadCheck:
    """Compare a result's fills with those of runs over the oldest candles alone, cut at `cuts` places of the period."""
    rows = result.markets[0].rows
    places = sorted({start + (len(bars) - start) * number // (cuts + 1) for number in range(1, cuts + 1)} - {start})
    different = []
    for number, count in enumerate(places):
        market = MarketBars(plan.market, _cut(bars, count), detail)
        short = run_markets(plan, [market], int(bars.opened[start]))
        if short.markets[0].rows != tuple(row for row in rows if row.bar < count):
            different.append(from_milliseconds(int(bars.opened[count])))
        on_progress((number + 1) / len(places))
    return LookAheadCheck(len(places), tuple(different))


def check_warm_up(compiled: CompiledStrategy, candles: CandleArrays, samples: int = SAMPLES) -> list[WarmUpCheck]:
    """Compare each function of the rules over the warm-up of the whole strategy with itself over all candles."""
    first, count = 2 * compiled.warm_up, len(candles)
    bars = np.unique(np.linspace(first, count - 1, samples).astype(np.int64)).tolist() if count > first else []
    whole, found = Evaluation(candles, None, compiled.sources), dict[str, WarmUpCheck]()
    for node in _functions(compiled):
        known = whole.outputs(node) if bars else ()
        worst = 0.0
        for bar in bars:
            window = Evaluation(candles.between(bar - compiled.warm_up, bar + 1), None, compiled.sources)
            pairs = zip(window.outputs(node), known, strict=True)
            worst = max(worst, *(_deviation(series[-1], full[bar]) for series, full in pairs))
        name, own = _described(node)
        found[name] = WarmUpCheck(name, own, len(bars), worst)
    return sorted(found.values(), key=lambda check: (-check.deviation, check.function))


def _cut(bars: Bars, count: int) -> Bars:
    """Return the oldest bars, with the candles of other markets that had closed with them."""
    short = bars.first(count)
    if not short.candles.others or not count:
        return short
    closed = short.candles.closed_at[-1]
    others = {key: _until(candles, int(closed)) for key, candles in short.candles.others.items()}
    return replace(short, candles=replace(short.candles, others=others))


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
