"""Reads the prices of the market that a report is compared with; those that aren't stored are fetched."""

from datetime import timedelta
from typing import Final

from domain.core.pagination import TimeKeysetPage
from domain.model.conversion import CurrencyGraph
from domain.model.markets import MarketSymbol
from domain.model.reports import BenchmarkPrices, PricePoint, Report
from domain.ports.reports import PastCandles
from domain.ports.unit_of_work import Database
from domain.reports.price_source import MARKS_PER_MARKET, PriceSource, timeframe_of

_ENOUGH: Final = 2
"""A change needs two prices."""


class BenchmarkReader:
    """Reads benchmarks; without `history`, of stored prices alone."""

    def __init__(self, database: Database, history: PastCandles | None) -> None:
        self._database = database
        self._history = history

    async def read(self, report: Report, traded: MarketSymbol | None) -> BenchmarkPrices | None:
        """Return the prices of the report's benchmark, or of the market that was traded; None if there are none."""
        market = report.benchmark or traded
        if market is None:
            return None
        found = await self._stored(report, market)
        if len(found) < _ENOUGH or found[0].at > report.from_ + timedelta(days=1):
            await self._fetch(report, market)
            found = await self._stored(report, market)
        return BenchmarkPrices(market, tuple(found)) if len(found) >= _ENOUGH else None

    async def _stored(self, report: Report, market: MarketSymbol) -> list[PricePoint]:
        async with self._database.read_only() as reading:
            source = PriceSource(reading.prices, CurrencyGraph([]), report.from_, report.to)
            marks = await source.marks([market], {}, "")
        return [PricePoint(mark.at, mark.price) for mark in marks if mark.price > 0]

    async def _fetch(self, report: Report, market: MarketSymbol) -> None:
        if self._history is not None:
            timeframe = timeframe_of(report.to - report.from_)
            start = timeframe.open_time(report.from_) - 2 * timeframe.duration
            await self._history.candles(market, timeframe, TimeKeysetPage(limit=MARKS_PER_MARKET, start=start))
