"""Figures of the daily returns: means, extremes, how many were gains, and the returns of recent periods."""

from datetime import date, timedelta

import numpy as np

from domain.model.statistics import FigureGroup, FigureUnit
from domain.performance.statistics.definition import FigureCatalogue
from domain.performance.statistics.sample import Floats, Sample

RETURNS = FigureCatalogue(FigureGroup.RETURN)
_PERCENT, _COUNT = FigureUnit.PERCENT, FigureUnit.COUNT
_DAYS_A_YEAR = 365


def compounded(returns: Floats) -> float | None:
    """Return what the returns come to one after the other; None if there are none."""
    return float(np.prod(1 + returns) - 1) if len(returns) else None


def mean(values: Floats) -> float | None:
    """Return the arithmetic mean; None if there are no values."""
    return float(values.mean()) if len(values) else None


@RETURNS.figure("averageDay", "Average day", _PERCENT)
def average_day(of: Sample) -> float | None:
    """The arithmetic mean of the daily returns (quantstats: Avg. Return)."""
    return mean(of.returns)


@RETURNS.figure("expectedDay", "Expected day", _PERCENT)
def expected_day(of: Sample) -> float | None:
    """The geometric mean of the daily returns: (1 + r1)(1 + r2)…^(1/n) - 1 (quantstats: Expected Daily)."""
    return _geometric(of.returns)


@RETURNS.figure("expectedMonth", "Expected month", _PERCENT)
def expected_month(of: Sample) -> float | None:
    """The geometric mean of the returns of calendar months (quantstats: Expected Monthly)."""
    return _geometric(of.months)


@RETURNS.figure("expectedYear", "Expected year", _PERCENT)
def expected_year(of: Sample) -> float | None:
    """The geometric mean of the returns of calendar years (quantstats: Expected Yearly)."""
    return _geometric(of.years)


@RETURNS.figure("bestDay", "Best day", _PERCENT)
def best_day(of: Sample) -> float | None:
    """The highest return of a day (UTC; quantstats, freqtrade: Best Day)."""
    return of.returns.max() if len(of.returns) else None


@RETURNS.figure("worstDay", "Worst day", _PERCENT)
def worst_day(of: Sample) -> float | None:
    """The lowest return of a day (UTC; quantstats, freqtrade: Worst Day)."""
    return of.returns.min() if len(of.returns) else None


@RETURNS.figure("bestMonth", "Best month", _PERCENT)
def best_month(of: Sample) -> float | None:
    """The highest return of a calendar month (quantstats: Best Month)."""
    return of.months.max() if len(of.months) else None


@RETURNS.figure("worstMonth", "Worst month", _PERCENT)
def worst_month(of: Sample) -> float | None:
    """The lowest return of a calendar month (quantstats: Worst Month)."""
    return of.months.min() if len(of.months) else None


@RETURNS.figure("bestYear", "Best year", _PERCENT)
def best_year(of: Sample) -> float | None:
    """The highest return of a calendar year (quantstats: Best Year)."""
    return of.years.max() if len(of.years) else None


@RETURNS.figure("worstYear", "Worst year", _PERCENT)
def worst_year(of: Sample) -> float | None:
    """The lowest return of a calendar year (quantstats: Worst Year)."""
    return of.years.min() if len(of.years) else None


@RETURNS.figure("averageUpDay", "Average up day", _PERCENT)
def average_up_day(of: Sample) -> float | None:
    """The mean of the positive daily returns (quantstats: Avg. Win)."""
    return mean(of.returns[of.returns > 0])


@RETURNS.figure("averageDownDay", "Average down day", _PERCENT)
def average_down_day(of: Sample) -> float | None:
    """The mean of the negative daily returns (quantstats: Avg. Loss)."""
    return mean(of.returns[of.returns < 0])


@RETURNS.figure("averageUpMonth", "Average up month", _PERCENT)
def average_up_month(of: Sample) -> float | None:
    """The mean of the positive monthly returns (quantstats: Avg. Up Month)."""
    return mean(of.months[of.months > 0])


@RETURNS.figure("averageDownMonth", "Average down month", _PERCENT)
def average_down_month(of: Sample) -> float | None:
    """The mean of the negative monthly returns (quantstats: Avg. Down Month)."""
    return mean(of.months[of.months < 0])


@RETURNS.figure("winDays", "Winning days", _PERCENT)
def win_days(of: Sample) -> float | None:
    """The positive daily returns in percent of those that aren't zero (quantstats: Win Days)."""
    return won(of.returns)


@RETURNS.figure("winMonths", "Winning months", _PERCENT)
def win_months(of: Sample) -> float | None:
    """The positive monthly returns in percent of those that aren't zero (quantstats: Win Month)."""
    return won(of.months)


@RETURNS.figure("winQuarters", "Winning quarters", _PERCENT)
def win_quarters(of: Sample) -> float | None:
    """The positive quarterly returns in percent of those that aren't zero (quantstats: Win Quarter)."""
    return won(of.quarters)


@RETURNS.figure("winYears", "Winning years", _PERCENT)
def win_years(of: Sample) -> float | None:
    """The positive yearly returns in percent of those that aren't zero (quantstats: Win Year)."""
    return won(of.years)


@RETURNS.figure("daysUp", "Days up", _COUNT)
def days_up(of: Sample) -> float | None:
    """The number of days with a gain (freqtrade: Days win)."""
    return int((of.returns > 0).sum()) if len(of.returns) else None


@RETURNS.figure("daysFlat", "Days flat", _COUNT)
def days_flat(of: Sample) -> float | None:
    """The number of days without gain or loss (freqtrade: Days draw)."""
    return int((of.returns == 0).sum()) if len(of.returns) else None


@RETURNS.figure("daysDown", "Days down", _COUNT)
def days_down(of: Sample) -> float | None:
    """The number of days with a loss (freqtrade: Days lose)."""
    return int((of.returns < 0).sum()) if len(of.returns) else None


@RETURNS.figure("longestUpDays", "Most days up in a row", _COUNT)
def longest_up(of: Sample) -> float | None:
    """The greatest number of days with a gain in a row (quantstats: Max Consecutive Wins)."""
    return _longest(of.returns > 0)


@RETURNS.figure("longestDownDays", "Most days down in a row", _COUNT)
def longest_down(of: Sample) -> float | None:
    """The greatest number of days with a loss in a row (quantstats: Max Consecutive Losses)."""
    return _longest(of.returns < 0)


@RETURNS.figure("monthToDate", "Month to date", _PERCENT)
def month_to_date(of: Sample) -> float | None:
    """The return since the first day of the last day's month (quantstats: MTD)."""
    return compounded(of.since(last.replace(day=1))) if (last := _last(of)) else None


@RETURNS.figure("yearToDate", "Year to date", _PERCENT)
def year_to_date(of: Sample) -> float | None:
    """The return since the first day of the last day's year (quantstats: YTD)."""
    return compounded(of.since(last.replace(month=1, day=1))) if (last := _last(of)) else None


@RETURNS.figure("last90Days", "Last 90 days", _PERCENT)
def last_90_days(of: Sample) -> float | None:
    """The return of the last 90 days; null if the period is shorter."""
    return compounded(of.returns[-90:]) if len(of.returns) >= 90 else None  # noqa: PLR2004  # as it is called


@RETURNS.figure("last365Days", "Last 365 days", _PERCENT)
def last_365_days(of: Sample) -> float | None:
    """The return of the last 365 days; null if the period is shorter."""
    return compounded(of.returns[-_DAYS_A_YEAR:]) if len(of.returns) >= _DAYS_A_YEAR else None


@RETURNS.figure("activeDays", "Days with a change", _PERCENT)
def active_days(of: Sample) -> float | None:
    """The days whose return isn't zero, in percent of all (quantstats: Time in Market, which rounds it up)."""
    return float((of.returns != 0).mean()) if len(of.returns) else None


@RETURNS.figure("riskAdjustedReturn", "Return by time in the market", _PERCENT)
def risk_adjusted_return(of: Sample) -> float | None:
    """The compound annual growth rate divided by `activeDays` (quantstats: Risk-Adjusted Return)."""
    active = active_days(of)
    return of.metrics.cagr / 100 / float(active) if active and of.metrics.cagr is not None else None


def won(returns: Floats) -> float | None:
    """Return the part of the returns other than zero that are gains; None if there are none."""
    moved = returns[returns != 0]
    return float((moved > 0).mean()) if len(moved) else None


def _geometric(returns: Floats) -> float | None:
    return float(np.prod(1 + returns) ** (1 / len(returns)) - 1) if len(returns) else None


def _longest(matches: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> int | None:
    if not len(matches):
        return None
    longest = run = 0
    for match in matches:
        run = run + 1 if match else 0
        longest = max(longest, run)
    return longest


def _last(of: Sample) -> date | None:
    return (of.days[-1].end - timedelta(microseconds=1)).date() if len(of.returns) else None
