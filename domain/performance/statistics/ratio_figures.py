"""Ratios of return to risk that quantstats, LEAN and others print, beside those of the metrics."""

from statistics import NormalDist

import numpy as np

from domain.model.statistics import FigureGroup, FigureUnit
from domain.performance.statistics.definition import FigureCatalogue
from domain.performance.statistics.return_figures import compounded, mean, won
from domain.performance.statistics.risk_figures import deviation, excess_kurtosis, shortfall, skewness, tails, ulcer
from domain.performance.statistics.sample import Floats, Sample

RATIOS = FigureCatalogue(FigureGroup.RATIO)
_ROOT_2 = float(np.sqrt(2))


@RATIOS.figure("probabilisticSharpe", "Probabilistic Sharpe ratio", FigureUnit.PERCENT)
def probabilistic_sharpe(of: Sample) -> float | None:
    """How probable it is that the true Sharpe ratio is above 0 (Bailey and López de Prado 2012; quantstats, LEAN)."""
    spread, skew, kurtosis = deviation(of.returns), skewness(of.returns), excess_kurtosis(of.returns)
    if spread is None or skew is None or kurtosis is None:
        return None
    sharpe = float(of.returns.mean()) / spread
    variance = (1 - skew * sharpe + (kurtosis + 2) / 4 * sharpe**2) / (len(of.returns) - 1)
    return NormalDist().cdf(sharpe / variance**0.5) if variance > 0 else None


@RATIOS.figure("smartSharpe", "Smart Sharpe ratio")
def smart_sharpe(of: Sample) -> float | None:
    """The Sharpe ratio over the penalty of autocorrelation: √(1 + 2 Σ (1 - k/n) c^k) (Lo 2002; quantstats)."""
    return None if of.metrics.sharpe is None or not len(of.returns) else of.metrics.sharpe / _penalty(of.returns)


@RATIOS.figure("smartSortino", "Smart Sortino ratio")
def smart_sortino(of: Sample) -> float | None:
    """The Sortino ratio over the same penalty of autocorrelation (quantstats: Smart Sortino)."""
    return None if of.metrics.sortino is None or not len(of.returns) else of.metrics.sortino / _penalty(of.returns)


@RATIOS.figure("adjustedSortino", "Sortino ratio over √2")
def adjusted_sortino(of: Sample) -> float | None:
    """The Sortino ratio over √2, comparable with a Sharpe ratio (Schwager 2012; quantstats: Sortino/√2)."""
    return None if of.metrics.sortino is None else of.metrics.sortino / _ROOT_2


@RATIOS.figure("smartAdjustedSortino", "Smart Sortino ratio over √2")
def smart_adjusted_sortino(of: Sample) -> float | None:
    """`smartSortino` over √2 (quantstats: Smart Sortino/√2)."""
    value = smart_sortino(of)
    return None if value is None else float(value) / _ROOT_2


@RATIOS.figure("riskReturn", "Risk-return ratio")
def risk_return(of: Sample) -> float | None:
    """The mean of the daily returns over their deviation, not annualised (quantstats: Risk-Return Ratio)."""
    spread = deviation(of.returns)
    return None if spread is None else float(of.returns.mean()) / spread


@RATIOS.figure("gainToPain", "Gain-to-pain ratio")
def gain_to_pain(of: Sample) -> float | None:
    """The sum of the daily returns over the absolute sum of the negative ones (Schwager 2012; quantstats)."""
    return _gain_to_pain(of.returns)


@RATIOS.figure("gainToPainMonthly", "Gain-to-pain ratio of months")
def gain_to_pain_monthly(of: Sample) -> float | None:
    """The same of months, each the sum of its daily returns (Schwager 2012; quantstats: Gain/Pain (1M))."""
    return _gain_to_pain(of.monthly_sums)


@RATIOS.figure("payoffOfDays", "Payoff ratio of days")
def payoff_of_days(of: Sample) -> float | None:
    """The mean gain of an up day over the mean loss of a down day (quantstats: Payoff Ratio, Win/Loss Ratio)."""
    return _payoff(of.returns)


@RATIOS.figure("profitRatioOfDays", "Profit ratio of days")
def profit_ratio_of_days(of: Sample) -> float | None:
    """The mean of days not below zero over their number, against the same of down days (quantstats: Profit Ratio)."""
    wins, losses = of.returns[of.returns >= 0], of.returns[of.returns < 0]
    if not len(wins) or not len(losses):
        return None
    return abs(float(wins.mean() / len(wins))) / abs(float(losses.mean() / len(losses)))


@RATIOS.figure("profitFactorOfDays", "Profit factor of days")
def profit_factor_of_days(of: Sample) -> float | None:
    """The sum of the positive daily returns over the absolute sum of the negative ones (quantstats: Profit Factor)."""
    losses = -of.returns[of.returns < 0].sum()
    return float(of.returns[of.returns > 0].sum() / losses) if losses else None


@RATIOS.figure("commonSense", "Common sense ratio")
def common_sense(of: Sample) -> float | None:
    """The profit factor of days times the tail ratio (quantstats: Common Sense Ratio)."""
    factor, tail = profit_factor_of_days(of), tails(of.returns)
    return None if factor is None or tail is None else float(factor) * tail


@RATIOS.figure("cpcIndex", "CPC index")
def cpc_index(of: Sample) -> float | None:
    """The profit factor of days times the part of winning days times their payoff ratio (quantstats: CPC Index)."""
    factor, part, payoff = profit_factor_of_days(of), won(of.returns), _payoff(of.returns)
    return None if factor is None or part is None or payoff is None else float(factor) * part * payoff


@RATIOS.figure("kelly", "Kelly criterion", FigureUnit.PERCENT)
def kelly(of: Sample) -> float | None:
    """W - (1 - w) / payoff ratio, with w the part of winning days (Kelly 1956; quantstats: Kelly Criterion)."""
    part, payoff = won(of.returns), _payoff(of.returns)
    return None if part is None or not payoff else part - (1 - part) / payoff


@RATIOS.figure("recoveryFactor", "Recovery factor")
def recovery_factor(of: Sample) -> float | None:
    """The absolute sum of the daily returns over the greatest drawdown at the ends of days (quantstats)."""
    deepest = -float(of.daily_drawdowns.min()) if len(of.returns) else 0.0
    return abs(float(of.returns.sum())) / deepest if deepest else None


@RATIOS.figure("ulcerPerformance", "Ulcer performance index")
def ulcer_performance(of: Sample) -> float | None:
    """The return of the period over the ulcer index (Martin 1987; quantstats: Ulcer Performance Index)."""
    index, total = ulcer(of), compounded(of.returns)
    return None if not index or total is None else total / index


@RATIOS.figure("serenity", "Serenity index")
def serenity(of: Sample) -> float | None:
    """The sum of the returns over ulcer index x shortfall of drawdowns over deviation (KeyQuant 2015; quantstats)."""
    index, spread, fall = ulcer(of), deviation(of.returns), shortfall(of.daily_drawdowns)
    return None if not index or spread is None or not fall else float(of.returns.sum()) / (index * -fall / spread)


def _penalty(returns: Floats) -> float:
    """Return by what autocorrelation lets a ratio look too good."""
    if deviation(returns[:-1]) is None or deviation(returns[1:]) is None:
        return 1.0
    correlation = abs(float(np.corrcoef(returns[:-1], returns[1:])[0, 1]))
    lags = np.arange(1, len(returns))
    return float(np.sqrt(1 + 2 * np.sum((len(returns) - lags) / len(returns) * correlation**lags)))


def _gain_to_pain(returns: Floats) -> float | None:
    pain = -returns[returns < 0].sum() if len(returns) else 0.0
    return float(returns.sum() / pain) if pain else None


def _payoff(returns: Floats) -> float | None:
    gain, loss = mean(returns[returns > 0]), mean(returns[returns < 0])
    return None if gain is None or loss is None else gain / -loss
