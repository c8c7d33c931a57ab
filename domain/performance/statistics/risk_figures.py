"""Figures of risk: the shape and the tails of the distribution of daily returns, and drawdowns."""

from decimal import Decimal
from statistics import NormalDist

import numpy as np

from domain.model.statistics import FigureGroup, FigureUnit
from domain.performance.drawdown_periods import drawdown_periods
from domain.performance.statistics.definition import FigureCatalogue
from domain.performance.statistics.return_figures import mean, won
from domain.performance.statistics.sample import ANNUAL, Floats, Sample

RISK = FigureCatalogue(FigureGroup.RISK)
DRAWDOWNS = FigureCatalogue(FigureGroup.DRAWDOWN)
_PERCENT, _DAYS, _AMOUNT = FigureUnit.PERCENT, FigureUnit.DAYS, FigureUnit.AMOUNT
_NORMAL = NormalDist()


def deviation(values: Floats) -> float | None:
    """Return the standard deviation of a sample; None for less than two values, or if they are all the same."""
    found = float(values.std(ddof=1)) if len(values) > 1 else 0.0
    return found if found > 1e-12 else None  # noqa: PLR2004  # less is an error of rounding


def skewness(values: Floats) -> float | None:
    """Return the adjusted Fisher-Pearson coefficient of skewness, G1 (Joanes and Gill 1998)."""
    count = len(values)
    moments = _central_moments(values)
    if moments is None or count < 3:  # noqa: PLR2004  # what the correction divides by is zero
        return None
    second, third, _ = moments
    return float(third / second**1.5 * np.sqrt(count * (count - 1)) / (count - 2))


def excess_kurtosis(values: Floats) -> float | None:
    """Return the bias-corrected excess kurtosis, G2 (Joanes and Gill 1998)."""
    count = len(values)
    moments = _central_moments(values)
    if moments is None or count < 4:  # noqa: PLR2004  # what the correction divides by is zero
        return None
    second, _, fourth = moments
    excess = fourth / second**2 - 3
    return float(((count + 1) * excess + 6) * (count - 1) / ((count - 2) * (count - 3)))


def shortfall(values: Floats, level: float = 0.05) -> float | None:
    """Return the expected shortfall if the values were normally distributed: mean - deviation x φ(z) / level."""
    spread = deviation(values)
    return None if spread is None else float(values.mean() - spread * _NORMAL.pdf(_NORMAL.inv_cdf(level)) / level)


@RISK.figure("annualVariance", "Annual variance")
def annual_variance(of: Sample) -> float | None:
    """The sample variance of the daily returns times 365 (LEAN: Annual Variance)."""
    return float(of.returns.var(ddof=1) * ANNUAL**2) if len(of.returns) else None


@RISK.figure("downsideDeviation", "Downside deviation", _PERCENT)
def downside_deviation(of: Sample) -> float | None:
    """The root of the mean square of the negative daily returns, gains as zero, times √365 (Sortino and Price 1994)."""
    returns = of.returns
    return float(np.sqrt(np.mean(np.minimum(returns, 0) ** 2)) * ANNUAL) if len(returns) else None


@RISK.figure("skew", "Skew")
def skew(of: Sample) -> float | None:
    """The skewness of the daily returns, corrected for bias (Joanes and Gill 1998, G1; quantstats: Skew)."""
    return skewness(of.returns)


@RISK.figure("kurtosis", "Kurtosis")
def kurtosis(of: Sample) -> float | None:
    """The excess kurtosis of daily returns, corrected for bias (Joanes and Gill 1998, G2; quantstats: Kurtosis)."""
    return excess_kurtosis(of.returns)


@RISK.figure("valueAtRisk95", "Value at risk, 95 %", _PERCENT)
def value_at_risk_95(of: Sample) -> float | None:
    """The daily return that 5 % are below if normal: mean + z x deviation (J.P. Morgan 1996; quantstats, LEAN: VaR)."""
    return _value_at_risk(of.returns, 0.05)


@RISK.figure("valueAtRisk99", "Value at risk, 99 %", _PERCENT)
def value_at_risk_99(of: Sample) -> float | None:
    """The daily return that 1 % are below if normal: mean + z x deviation (J.P. Morgan 1996; LEAN: VaR 99)."""
    return _value_at_risk(of.returns, 0.01)


@RISK.figure("historicalValueAtRisk95", "Historical value at risk, 95 %", _PERCENT)
def historical_value_at_risk(of: Sample) -> float | None:
    """The 5th percentile of the daily returns (empyrical: value_at_risk)."""
    return float(np.percentile(of.returns, 5)) if len(of.returns) else None


@RISK.figure("expectedShortfall95", "Expected shortfall, 95 %", _PERCENT)
def expected_shortfall(of: Sample) -> float | None:
    """The mean of the worst 5 % of days if normal (Rockafellar and Uryasev 2000; quantstats: Expected Shortfall)."""
    return shortfall(of.returns)


@RISK.figure("historicalExpectedShortfall95", "Historical expected shortfall, 95 %", _PERCENT)
def historical_shortfall(of: Sample) -> float | None:
    """The mean of the worst 5 % of the daily returns (empyrical: conditional_value_at_risk)."""
    if not len(of.returns):
        return None
    index = int((len(of.returns) - 1) * 0.05)
    return float(np.partition(of.returns, index)[: index + 1].mean())


@RISK.figure("tailRatio", "Tail ratio")
def tail_ratio(of: Sample) -> float | None:
    """The 95th percentile of the daily returns over the 5th, as absolute values (empyrical, quantstats: Tail Ratio)."""
    return tails(of.returns)


@RISK.figure("outlierWinRatio", "Outlier win ratio")
def outlier_win_ratio(of: Sample) -> float | None:
    """The 99th percentile of daily returns over the mean of those not below zero (quantstats: Outlier Win Ratio)."""
    gain = mean(of.returns[of.returns >= 0])
    return float(np.percentile(of.returns, 99)) / gain if gain else None


@RISK.figure("outlierLossRatio", "Outlier loss ratio")
def outlier_loss_ratio(of: Sample) -> float | None:
    """The 1st percentile of the daily returns over the mean of the negative ones (quantstats: Outlier Loss Ratio)."""
    loss = mean(of.returns[of.returns < 0])
    return float(np.percentile(of.returns, 1)) / loss if loss else None


@RISK.figure("riskOfRuin", "Risk of ruin", _PERCENT)
def risk_of_ruin(of: Sample) -> float | None:
    """((1 - w) / (1 + w))^n, with w the part of winning days and n the days (quantstats: Risk of Ruin)."""
    part = won(of.returns)
    return None if part is None else float(((1 - part) / (1 + part)) ** len(of.returns))


@RISK.figure("stability", "Stability")
def stability(of: Sample) -> float | None:
    """R² of a line through the cumulated logarithms of the returns (empyrical: stability_of_timeseries)."""
    if not len(of.returns) or of.returns.min() <= -1:
        return None
    logs = np.cumsum(np.log1p(of.returns))
    return float(np.corrcoef(np.arange(len(logs)), logs)[0, 1] ** 2) if deviation(logs) else None


@DRAWDOWNS.figure("averageDrawdown", "Average drawdown", _PERCENT)
def average_drawdown(of: Sample) -> float | None:
    """The mean depth of all drawdowns, each from a highest value to the recovery (quantstats: Avg. Drawdown)."""
    depths = [period.depth_percent for period in drawdown_periods(of.curve, of.index)]
    return -float(np.mean(depths)) / 100 if depths else None


@DRAWDOWNS.figure("averageDrawdownDays", "Average drawdown length", _DAYS)
def average_drawdown_days(of: Sample) -> float | None:
    """The mean length of all drawdowns in days (quantstats: Avg. Drawdown Days)."""
    lengths = [period.days for period in drawdown_periods(of.curve, of.index)]
    return float(np.mean(lengths)) if lengths else None


@DRAWDOWNS.figure("drawdownRecoveryDays", "Recovery from the greatest drawdown", _DAYS)
def recovery_days(of: Sample) -> float | None:
    """The days from the lowest point of the greatest drawdown to its end (LEAN: Drawdown Recovery); null before it."""
    periods = drawdown_periods(of.curve, of.index)
    deepest = max(periods, key=lambda period: period.depth_percent, default=None)
    if deepest is None or deepest.recovered_at is None:
        return None
    return (deepest.recovered_at - deepest.lowest_at).total_seconds() / 86_400


@DRAWDOWNS.figure("ulcerIndex", "Ulcer index", _PERCENT)
def ulcer_index(of: Sample) -> float | None:
    """The root of the squared drawdowns' sum over n - 1, at the ends of days (Martin 1987, as quantstats divides)."""
    return ulcer(of)


@DRAWDOWNS.figure("painIndex", "Pain index", _PERCENT)
def pain_index(of: Sample) -> float | None:
    """The mean drawdown at the ends of days, as a positive number (Becker 2006)."""
    return -float(of.daily_drawdowns.mean()) if len(of.returns) else None


@DRAWDOWNS.figure("highestEquity", "Highest equity", _AMOUNT)
def highest_equity(of: Sample) -> Decimal | None:
    """The highest equity at any point of the curve (freqtrade: Max balance)."""
    return max((point.equity for point in of.curve), default=None)


@DRAWDOWNS.figure("lowestEquity", "Lowest equity", _AMOUNT)
def lowest_equity(of: Sample) -> Decimal | None:
    """The lowest equity at any point of the curve (freqtrade: Min balance)."""
    return min((point.equity for point in of.curve), default=None)


def ulcer(of: Sample) -> float | None:
    """Return the ulcer index as a fraction."""
    falls = of.daily_drawdowns
    return float(np.sqrt((falls**2).sum() / (len(falls) - 1))) if len(falls) > 1 else None


def tails(values: Floats) -> float | None:
    """Return the 95th percentile over the 5th, as absolute values; None if the 5th is zero."""
    if not len(values):
        return None
    low, high = np.percentile(values, [5, 95])
    return abs(float(high / low)) if low else None


def _value_at_risk(returns: Floats, level: float) -> float | None:
    spread = deviation(returns)
    return None if spread is None else float(returns.mean() + _NORMAL.inv_cdf(level) * spread)


def _central_moments(values: Floats) -> tuple[float, float, float] | None:
    if deviation(values) is None:
        return None
    centred = values - values.mean()
    return float(np.mean(centred**2)), float(np.mean(centred**3)), float(np.mean(centred**4))
