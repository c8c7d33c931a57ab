"""Ranks strategies for a market by what they earned in past stretches of its present trend."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from domain.indicators.trend import TrendDirection
from domain.model.recommendations import TrendResult, WalkForward, WalkForwardAnalysis
from domain.optimization.luck import deflated_sharpe


@dataclass(frozen=True, slots=True)
class Ranked:
    """An analysis with its score, from 0 to 1: the probability that what it earned is more than luck.

    It is the deflated Sharpe ratio (`domain.optimization.luck`) of the returns a candle, in which those of the present
    trend count most, for the best of `candidates`. It is 0 for a strategy that didn't trade or earned nothing.
    """

    analysis: WalkForwardAnalysis
    result: WalkForward
    score: float
    candidates: int


def rank(analyses: Sequence[WalkForwardAnalysis], direction: TrendDirection) -> list[Ranked]:
    """Return the analyses that have a result, the best first; equal ones as they were given.

    All of them are candidates: the more there are, the less the best one's result means.
    """
    found = [(analysis, analysis.result) for analysis in analyses if analysis.result is not None]
    sharpes = [moments.sharpe for _, result in found if (moments := of_trend(result, direction).moments) is not None]
    variance = statistics.variance(sharpes) if len(sharpes) > 1 else 0.0
    ranked = [
        Ranked(analysis, result, _score(result, direction, len(found), variance), len(found))
        for analysis, result in found
    ]
    return sorted(ranked, key=lambda one: _order(one, direction), reverse=True)


def of_trend(result: WalkForward, direction: TrendDirection) -> TrendResult:
    """Return the part of a result that belongs to a direction of the trend."""
    results = {
        TrendDirection.UP: result.up,
        TrendDirection.DOWN: result.down,
        TrendDirection.SIDEWAYS: result.sideways,
    }
    return results[direction]


def _score(result: WalkForward, direction: TrendDirection, candidates: int, variance: float) -> float:
    moments = of_trend(result, direction).moments
    if moments is None or moments.sharpe <= 0 or result.metrics.net_profit <= 0:
        return 0.0
    return deflated_sharpe(moments, candidates, variance)


def _order(one: Ranked, direction: TrendDirection) -> tuple[float, float]:
    """Return what is compared: of strategies that score alike, such as all that lose, who has lost least for its risk.

    One that didn't trade comes before those that have lost.
    """
    moments = of_trend(one.result, direction).moments
    return one.score, 0.0 if moments is None else moments.sharpe
