"""Loads the candles that a job of research needs, and fetches those that aren't stored yet from the venue."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Protocol

from domain.backtest.bars import Bars
from domain.backtest.market_bars import MarketCandles
from domain.core.clock import Clock
from domain.core.pagination import TimeKeysetPage
from domain.jobs.handler import JobFailed
from domain.market_data.backfill import SETTLED
from domain.market_data.history_download import PAGE, Gap, HistoryDownloader, split_into_pages
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.ports.market_data import MarketDataSource, VenueUnreachable
from domain.ports.unit_of_work import Database
from domain.research.candle_coverage import (
    CandleCoverage,
    NoCandles,
    Span,
    coverage_notes,
    require_candles,
    utc_text,
)
from domain.research.candle_needs import CandleNeeds, CandleRequest
from domain.research.compute_pool import OnProgress

MAX_FETCHED: Final = 200_000
"""How many missing candles a job fetches; a venue answers some 1,000 a request."""

_FETCH_SHARE: Final = 0.8
"""The progress after missing candles were fetched, before all of them are read."""

SourceOf = Callable[[str], MarketDataSource | None]


class BarSource(Protocol):
    """Reads long series of stored candles; implemented by `infra.postgres.candle_series`."""

    async def read(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime, end: datetime, on_rows: Callable[[int], None]
    ) -> Bars:
        """Return the candles that open from `start` to before `end`; raises `Unavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class LoadedCandles:
    """The candles of each market, in the order of the markets, and which there are of those that were asked for.

    `count` is how many of them are in the period, on all markets; `notes` say in sentences what there isn't.
    """

    markets: tuple[MarketCandles, ...]
    coverages: tuple[CandleCoverage, ...]
    count: int
    notes: tuple[str, ...]


class CandleLoader:
    """Loads stored candles, after it has fetched what is missing.

    `source_of` is a venue's public data by its name; None for one that isn't configured any more.
    """

    def __init__(self, database: Database, bars: BarSource, source_of: SourceOf, clock: Clock) -> None:
        self._database = database
        self._bars = bars
        self._source_of = source_of
        self._clock = clock

    async def load(self, needs: CandleNeeds, on_progress: OnProgress) -> LoadedCandles:
        """Return the candles; raises `JobFailed` if there are none, too many to fetch or the venue doesn't answer."""
        read_from = 0.0

        def on_fetched(share: float) -> None:
            nonlocal read_from
            read_from = _FETCH_SHARE
            on_progress(_FETCH_SHARE * share)

        coverages = await self.fetch_missing(needs, on_fetched)
        loaded = await read_candles(self._bars, needs, lambda share: on_progress(read_from + (1 - read_from) * share))
        count = sum(one.count(needs.start, needs.end) for one in loaded)
        return LoadedCandles(loaded, coverages, count, tuple(coverage_notes(needs, coverages)))

    async def fetch_missing(self, needs: CandleNeeds, on_progress: OnProgress) -> tuple[CandleCoverage, ...]:
        """Have candles stored that aren't, and return which there are of each series, without reading them.

        Raises `JobFailed` as `load` does.
        """
        source = self._source_of(needs.markets[0].symbol.venue)
        now = (self._clock.now() if source is None else source.venue_now()) - SETTLED
        coverages = await self._coverages(needs, now)
        if source is not None and any(coverage.gaps for coverage in coverages):
            await self._fetch_all(source, coverages, now, on_progress)
            coverages = await self._coverages(needs, now)
        require_candles(needs, coverages)
        return coverages

    async def _coverages(self, needs: CandleNeeds, now: datetime) -> tuple[CandleCoverage, ...]:
        return tuple([CandleCoverage(request, await self._gaps(request, now)) for request in needs.requests])

    async def _gaps(self, request: CandleRequest, now: datetime) -> Sequence[Span]:
        start, end = request.first, _end(request, now)
        if start >= end:
            return []
        async with self._database.read_only() as reading:
            return await reading.market_data.candle_gaps(request.market, request.timeframe, start, end)

    async def _fetch_all(
        self,
        source: MarketDataSource,
        coverages: Sequence[CandleCoverage],
        now: datetime,
        on_progress: OnProgress,
    ) -> None:
        incomplete = [coverage for coverage in coverages if coverage.gaps]
        total, done = sum(coverage.missing for coverage in incomplete), 0
        if total > MAX_FETCHED:
            raise JobFailed(_too_many(incomplete, total))
        for coverage in incomplete:

            def report(fetched: int, before: int = done) -> None:
                on_progress(min((before + fetched) / max(total, 1), 1.0))

            await self._fetch(source, coverage, _end(coverage.request, now), report)
            done += coverage.missing

    async def _fetch(
        self,
        source: MarketDataSource,
        coverage: CandleCoverage,
        end: datetime,
        on_fetched: Callable[[int], None],
    ) -> None:
        request, step, done = coverage.request, coverage.request.timeframe.duration, 0
        history = HistoryDownloader(source, request.market, request.timeframe, lambda _text: None)
        try:
            for first, until in split_into_pages(coverage.gaps, PAGE * step):
                gap = Gap(first, until, await self._stored(request, first - step), until < end)
                async for candles, reached in _batches(history, gap):
                    await self._store(candles)
                    on_fetched(done + (reached - first) // step)
                done += (until - first) // step
        except VenueUnreachable:
            raise JobFailed(
                f"{coverage.missing - done:,} {request.name} aren't stored, and {request.market.venue} doesn't answer. "
                "Try again later."
            ) from None

    async def _stored(self, request: CandleRequest, opened: datetime) -> Candle | None:
        page = TimeKeysetPage(limit=1, start=opened, end=opened + request.timeframe.duration)
        async with self._database.read_only() as reading:
            return next(iter(await reading.market_data.candles(request.market, request.timeframe, page)), None)

    async def _store(self, candles: tuple[Candle, ...]) -> None:
        if not candles:
            return
        async with self._database.transaction() as transaction:
            await transaction.market_data.ensure_candle_partitions(candles[0].open_time, candles[-1].open_time)
        async with self._database.transaction() as transaction:
            # A candle that a collector has stored meanwhile is newer than this answer.
            await transaction.market_data.insert_candles(candles)


async def read_candles(source: BarSource, needs: CandleNeeds, on_progress: OnProgress) -> tuple[MarketCandles, ...]:
    """Return the stored candles of each market; raises `Unavailable` and `NoCandles`."""
    requests, rows = needs.requests, 0
    expected = max(needs.count, 1)

    def on_rows(count: int) -> None:
        nonlocal rows
        rows += count
        on_progress(min(rows / expected, 1.0))

    read: dict[CandleRequest, Bars] = {}
    for request in requests:
        read[request] = await source.read(request.market, request.timeframe, request.first, request.end, on_rows)
    found = []
    for market in needs.markets:
        own, named, inside = needs.own(market), needs.named(market), needs.inside(market)
        bars = read[own]
        if bars.index_of(needs.start) >= len(bars):
            raise NoCandles(own)
        for key, request in named.items():
            if not len(read[request]):
                raise NoCandles(request, key)
        if named:
            others = {key: read[request].candles for key, request in named.items()}
            bars = replace(bars, candles=replace(bars.candles, others=others))
        found.append(MarketCandles(market, bars, None if inside is None else read[inside]))
    return tuple(found)


async def _batches(history: HistoryDownloader, gap: Gap) -> AsyncIterator[tuple[tuple[Candle, ...], datetime]]:
    async for batch in history.fetch(gap):
        yield batch.candles, batch.until


def _end(request: CandleRequest, now: datetime) -> datetime:
    return request.timeframe.open_time(min(request.end, now))


def _too_many(incomplete: Sequence[CandleCoverage], total: int) -> str:
    most = max(incomplete, key=lambda coverage: coverage.missing)
    request, (first, _), others = most.request, most.gaps[0], total - most.missing
    return (
        f"{most.missing:,} {request.name} aren't stored, the first from {utc_text(first)}"
        f"{f', and {others:,} others' if others else ''}; a job fetches at most {MAX_FETCHED:,}. Choose a shorter "
        f"period or a longer timeframe, or have the operator run: r3edge backfill {request.market.venue} "
        f"{request.market.symbol} --timeframe {request.timeframe.venue_name} --from {first:%Y-%m-%dT%H:%MZ}"
    )
