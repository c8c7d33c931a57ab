"""All figures of a report, in the order in which they are shown."""

from domain.model.reports import ReportResult
from domain.model.statistics import Figure
from domain.performance.statistics.benchmark_figures import BENCHMARK
from domain.performance.statistics.ratio_figures import RATIOS
from domain.performance.statistics.return_figures import RETURNS
from domain.performance.statistics.risk_figures import DRAWDOWNS, RISK
from domain.performance.statistics.sample import Sample, sample
from domain.performance.statistics.trade_figures import TRADES

CATALOGUES = (RETURNS, RATIOS, RISK, DRAWDOWNS, TRADES, BENCHMARK)


def figures(result: ReportResult) -> tuple[Figure, ...]:
    """Return every figure of a report; those of a benchmark are left out if there is none."""
    return figures_of(sample(result))


def figures_of(of: Sample) -> tuple[Figure, ...]:
    """Return every figure of a sample."""
    catalogues = CATALOGUES if of.benchmark_days is not None else CATALOGUES[:-1]
    return tuple(definition.of(of) for catalogue in catalogues for definition in catalogue.definitions)
