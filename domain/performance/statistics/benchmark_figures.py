"""Figures of the daily returns beside those of a benchmark: what was gained by more than the market's own moves."""

import numpy as np

from domain.model.statistics import FigureGroup, FigureUnit
from domain.performance.statistics.definition import FigureCatalogue
from domain.performance.statistics.return_figures import compounded
from domain.performance.statistics.risk_figures import deviation
from domain.performance.statistics.sample import ANNUAL, Floats, Sample

BENCHMARK = FigureCatalogue(FigureGroup.BENCHMARK)
_PERCENT = FigureUnit.PERCENT
_DAYS_A_YEAR = 365


@BENCHMARK.figure("benchmarkReturn", "Benchmark's return", _PERCENT)
def benchmark_return(of: Sample) -> float | None:
    """The change of the benchmark's price, on the days of the report (quantstats: Cumulative Return)."""
    return compounded(of.benchmark)


@BENCHMARK.figure("excessReturn", "Return above the benchmark", _PERCENT)
def excess_return(of: Sample) -> float | None:
    """The return of the period minus the benchmark's."""
    own, market = compounded(of.returns), compounded(of.benchmark)
    return None if own is None or market is None else own - market


@BENCHMARK.figure("benchmarkVolatility", "Benchmark's volatility", _PERCENT)
def benchmark_volatility(of: Sample) -> float | None:
    """The sample deviation of the benchmark's daily returns, annualised by √365 (quantstats: Volatility)."""
    spread = deviation(of.benchmark)
    return None if spread is None else spread * ANNUAL


@BENCHMARK.figure("benchmarkSharpe", "Benchmark's Sharpe ratio")
def benchmark_sharpe(of: Sample) -> float | None:
    """The mean of the benchmark's daily returns over their deviation, annualised by √365 (Sharpe 1994)."""
    spread = deviation(of.benchmark)
    return None if spread is None else float(of.benchmark.mean()) / spread * ANNUAL


@BENCHMARK.figure("benchmarkMaxDrawdown", "Benchmark's greatest drawdown", _PERCENT)
def benchmark_drawdown(of: Sample) -> float | None:
    """The greatest fall of the benchmark below its highest price so far, at the ends of days (quantstats)."""
    if not len(of.benchmark):
        return None
    growth = np.cumprod(1 + of.benchmark)
    return float((1 - growth / np.maximum(np.maximum.accumulate(growth), 1.0)).max())


@BENCHMARK.figure("beta", "Beta")
def beta(of: Sample) -> float | None:
    """The covariance with the benchmark's daily returns over their variance (Sharpe 1964; quantstats, LEAN: Beta)."""
    return _beta(of)


@BENCHMARK.figure("alpha", "Alpha", _PERCENT)
def alpha(of: Sample) -> float | None:
    """The mean daily return less beta times the benchmark's, times 365 (Jensen 1968; quantstats: Alpha)."""
    slope = _beta(of)
    return None if slope is None else float(of.returns.mean() - slope * of.benchmark.mean()) * _DAYS_A_YEAR


@BENCHMARK.figure("correlation", "Correlation")
def correlation(of: Sample) -> float | None:
    """The coefficient of correlation with the benchmark's daily returns (Pearson 1895; quantstats: Correlation)."""
    return _correlation(of)


@BENCHMARK.figure("rSquared", "R²")
def r_squared(of: Sample) -> float | None:
    """The square of the correlation: how much of the variance the benchmark explains (quantstats: R^2)."""
    value = _correlation(of)
    return None if value is None else value**2


@BENCHMARK.figure("trackingError", "Tracking error", _PERCENT)
def tracking_error(of: Sample) -> float | None:
    """The deviation of the daily differences to the benchmark, times √365 (Grinold and Kahn 1999; LEAN)."""
    spread = deviation(_differences(of))
    return None if spread is None else spread * ANNUAL


@BENCHMARK.figure("informationRatio", "Information ratio")
def information_ratio(of: Sample) -> float | None:
    """The mean daily difference to the benchmark over its deviation, not annualised (Goodwin 1998; quantstats)."""
    differences = _differences(of)
    spread = deviation(differences)
    return None if spread is None else float(differences.mean()) / spread


@BENCHMARK.figure("treynor", "Treynor ratio")
def treynor(of: Sample) -> float | None:
    """The return of the period over beta (Treynor 1965; quantstats: Treynor Ratio)."""
    slope, total = _beta(of), compounded(of.returns)
    return total / slope if slope and total is not None else None


@BENCHMARK.figure("upCapture", "Capture of rises", _PERCENT)
def up_capture(of: Sample) -> float | None:
    """The annual return on days on which the benchmark rose, in percent of the benchmark's (empyrical: up_capture)."""
    return _capture(of, of.benchmark > 0)


@BENCHMARK.figure("downCapture", "Capture of falls", _PERCENT)
def down_capture(of: Sample) -> float | None:
    """The annual return on days on which the benchmark fell, in percent of the benchmark's (empyrical)."""
    return _capture(of, of.benchmark < 0)


def _beta(of: Sample) -> float | None:
    if deviation(of.benchmark) is None:
        return None
    matrix = np.cov(of.returns, of.benchmark)
    return float(matrix[0, 1] / matrix[1, 1])


def _correlation(of: Sample) -> float | None:
    if deviation(of.benchmark) is None or deviation(of.returns) is None:
        return None
    return float(np.corrcoef(of.returns, of.benchmark)[0, 1])


def _differences(of: Sample) -> Floats:
    return of.returns - of.benchmark if len(of.benchmark) else of.benchmark


def _capture(of: Sample, days: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> float | None:
    if not days.any():
        return None
    own, market = (
        np.prod(1 + values[days]) ** (_DAYS_A_YEAR / days.sum()) - 1 for values in (of.returns, of.benchmark)
    )
    return float(own / market) if market else None
