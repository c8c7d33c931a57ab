"""The score of a trial: the metric that a search makes as large as it can."""

from collections.abc import Callable, Mapping

from domain.model.optimizations import OptimizationObjective
from domain.model.reports import PerformanceMetrics

_METRICS: Mapping[OptimizationObjective, Callable[[PerformanceMetrics], float | None]] = {
    OptimizationObjective.NET_PROFIT: lambda metrics: float(metrics.net_profit),
    OptimizationObjective.SHARPE: lambda metrics: metrics.sharpe,
    OptimizationObjective.SORTINO: lambda metrics: metrics.sortino,
    OptimizationObjective.CALMAR: lambda metrics: metrics.calmar,
    OptimizationObjective.PROFIT_FACTOR: lambda metrics: metrics.profit_factor,
}


def score(objective: OptimizationObjective, metrics: PerformanceMetrics) -> float | None:
    """Return the objective's value; None if the metric has none, or no round trip was closed.

    Not to trade loses nothing, which would beat every losing set of parameters; so it is no score at all.
    """
    return _METRICS[objective](metrics) if metrics.round_trips else None
