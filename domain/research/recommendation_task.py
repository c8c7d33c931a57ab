"""Evaluates strategies on the candles of a market, in a process of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from domain.backtest.bars import Bars
from domain.backtest.engine import UnsupportedDefinition
from domain.backtest.market_bars import MarketCandles
from domain.core.clock import from_milliseconds
from domain.core.errors import InputError, InputErrors
from domain.model.definitions import StrategyDefinition
from domain.model.optimizations import Fold
from domain.model.recommendations import AssumedCosts, WalkForward
from domain.optimization.folds import walk_forward_folds
from domain.recommendations.walk_forward import CANDLES, FOLDS, evaluate
from domain.research.compute_pool import OnProgress

LEAST_CANDLES: Final = 400
"""With fewer, a part of a fold has less than 50 candles, which say next to nothing."""


@dataclass(frozen=True, slots=True)
class AnalysisTask:
    """What is evaluated: definitions by their hash, on the newest bars of a market."""

    definitions: Sequence[tuple[bytes, StrategyDefinition]]
    candles: MarketCandles


@dataclass(frozen=True, slots=True)
class Evaluated:
    """What was found about a definition; without a `result`, `message` says why there is none."""

    hash: bytes
    result: WalkForward | None
    message: str | None = None


def evaluate_all(task: AnalysisTask, on_progress: OnProgress) -> list[Evaluated]:
    """Return what was found about each definition, in order; `on_progress` is called after each."""
    folds, found = _folds(task.candles.bars), list[Evaluated]()
    for index, (key, definition) in enumerate(task.definitions):
        found.append(_evaluated(task, key, definition, folds))
        on_progress((index + 1) / len(task.definitions))
    return found


def _folds(bars: Bars) -> tuple[Fold, ...]:
    """Return the folds of the newest bars; none if there are too few."""
    count = min(len(bars), CANDLES)
    if count < LEAST_CANDLES:
        return ()
    end = from_milliseconds(int(bars.opened[-1])) + timedelta(milliseconds=bars.milliseconds)
    return walk_forward_folds(end - count * bars.timeframe.duration, end, bars.timeframe, FOLDS)


def _evaluated(task: AnalysisTask, key: bytes, definition: StrategyDefinition, folds: Sequence[Fold]) -> Evaluated:
    if not folds:
        return Evaluated(
            key, None, f"There are {len(task.candles.bars):,} candles; at least {LEAST_CANDLES:,} are needed."
        )
    try:
        result = evaluate(definition, task.candles.market, task.candles.bars, folds, AssumedCosts())
    except (UnsupportedDefinition, InputErrors, InputError) as error:
        return Evaluated(key, None, str(error))
    return Evaluated(key, result, None if result is not None else "A part of the newest candles is missing.")
