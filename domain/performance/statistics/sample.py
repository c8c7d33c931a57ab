"""What figures are computed from: daily returns and what follows from them, round trips, and a benchmark."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from itertools import groupby

import numpy as np
import numpy.typing as npt

from domain.model.reports import BenchmarkPrices, EquityPoint, PerformanceMetrics, ReportResult, RoundTrip
from domain.performance.metrics import MINIMUM_RETURNS
from domain.performance.returns import DailyReturn, dated_returns, drawdowns, growth_index

Floats = npt.NDArray[np.float64]
_DAYS_A_YEAR = 365
ANNUAL = float(np.sqrt(_DAYS_A_YEAR))
"""Daily deviations and ratios are multiplied by it for a year: crypto trades every day."""


@dataclass(frozen=True)
class Sample:
    """The input of all figures; returns are fractions."""

    metrics: PerformanceMetrics
    curve: Sequence[EquityPoint]
    index: Sequence[float]
    days: Sequence[DailyReturn]
    trips: Sequence[RoundTrip]
    benchmark_days: Floats | None = field(default=None)

    @cached_property
    def returns(self) -> Floats:
        """The daily returns; none if there are too few for a figure to mean anything."""
        values = np.array([day.value for day in self.days], dtype=np.float64)
        return values if len(values) >= MINIMUM_RETURNS else values[:0]

    @cached_property
    def benchmark(self) -> Floats:
        """The benchmark's returns of the same days; none if there is no benchmark, or too few days."""
        return np.zeros(0) if self.benchmark_days is None or not len(self.returns) else self.benchmark_days

    @cached_property
    def months(self) -> Floats:
        """The returns of the calendar months (UTC)."""
        return self._compounded(lambda day: (day.year, day.month))

    @cached_property
    def quarters(self) -> Floats:
        """The returns of the calendar quarters (UTC)."""
        return self._compounded(lambda day: (day.year, (day.month - 1) // 3))

    @cached_property
    def years(self) -> Floats:
        """The returns of the calendar years (UTC)."""
        return self._compounded(lambda day: (day.year, 0))

    @cached_property
    def monthly_sums(self) -> Floats:
        """The sums of the daily returns of each calendar month."""
        return np.array([values.sum() for _, values in self._grouped(lambda day: (day.year, day.month))])

    @cached_property
    def daily_drawdowns(self) -> Floats:
        """How far the compounded return of each day's end is below the highest so far, as fractions, at most 0."""
        growth = np.cumprod(1 + self.returns)
        highest = np.maximum(np.maximum.accumulate(growth), 1.0) if len(growth) else growth
        return growth / highest - 1

    @cached_property
    def profits(self) -> Floats:
        """The profits of the closed round trips, in the report's currency."""
        return np.array([float(trip.profit) for trip in self.trips])

    @cached_property
    def durations(self) -> Floats:
        """For how many seconds each closed round trip was open."""
        return np.array([_seconds(trip.opened_at, trip.closed_at) for trip in self.trips])

    def since(self, first: date) -> Floats:
        """Return the daily returns from a date on."""
        return self.returns[[day.date >= first for day in self.days]] if len(self.returns) else self.returns

    def _grouped(self, key: Callable[[date], tuple[int, int]]) -> Iterable[tuple[tuple[int, int], Floats]]:
        if len(self.returns):
            for name, days in groupby(self.days, key=lambda day: key(day.date)):
                yield name, np.array([day.value for day in days])

    def _compounded(self, key: Callable[[date], tuple[int, int]]) -> Floats:
        return np.array([np.prod(1 + values) - 1 for _, values in self._grouped(key)])


def sample(result: ReportResult) -> Sample:
    """Return the input of the figures of a report; days on which nothing was invested are left out."""
    curve = result.equity_curve if result.metrics.net_profit_percent is not None else ()
    index = growth_index(curve)
    days = dated_returns(curve, index)
    closed = sorted((trip for trip in result.round_trips if trip.closed_at is not None), key=_closing)
    return Sample(result.metrics, curve, index, days, closed, benchmark_returns(result.benchmark, days))


def benchmark_returns(benchmark: BenchmarkPrices | None, days: Sequence[DailyReturn]) -> Floats | None:
    """Return the benchmark's returns of the same days, from the last prices until their ends; None without prices."""
    if benchmark is None or not benchmark.prices or not days:
        return None
    times = np.array([point.at.timestamp() for point in benchmark.prices])
    prices = np.array([float(point.price) for point in benchmark.prices])

    def at(moments: Iterable[datetime]) -> Floats:
        positions = np.searchsorted(times, [moment.timestamp() for moment in moments], side="right") - 1
        return prices[np.maximum(positions, 0)]

    returns: Floats = at(day.end for day in days) / at(day.start for day in days) - 1
    return returns


def percent_drawdowns(of: Sample) -> list[float]:
    """Return the drawdown at each point of the curve, in percent."""
    return drawdowns(of.index)


def _closing(trip: RoundTrip) -> datetime:
    return trip.closed_at or trip.opened_at


def _seconds(start: datetime, end: datetime | None) -> float:
    return ((end or start) - start).total_seconds()
