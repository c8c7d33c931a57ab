"""Loads the candles that a job of research needs, and fetches those that aren't stored yet from the venue."""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from domain.backtest.bars import Bars
from domain.core.clock import Clock, from_milliseconds
from domain.core.pagination import TimeKeysetPage
from domain.jobs.handler import JobFailed
from domain.market_data.backfill import SETTLED
from domain.market_data.history_download import BEFORE_ALL_MARKETS, PAGE, Gap, HistoryDownloader, split_into_pages
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.ports.market_data import MarketDataSource, VenueUnreachable
from domain.ports.unit_of_work import Database
from domain.research.compute_pool import OnProgress

MAX_FETCHED: Final = 200_000
"""How many missing candles a job fetches; a venue answers some 1,000 a request."""

_FETCH_SHARE: Final = 0.8
"""The progress after missing candles were fetched, before all of them are read."""

Span = tuple[datetime, datetime]
SourceOf = Callable[[str], MarketDataSource | None]


class BarSource(Protocol):
    """Reads long series of stored candles; implemented by `infra.postgres.candle_series`."""

    async def read(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime, end: datetime, on_rows: Callable[[int], None]
    ) -> Bars:
        """Return the candles that open from `start` to before `end`; raises `Unavailable`."""
        ...


@dataclass(frozen=True, slots=True)
class CandleRequest:
    """The candles that open from `start` to before `end`, and `warm_up` of them before."""

    market: MarketSymbol
    timeframe: Timeframe
    start: datetime
    end: datetime
    warm_up: int

    @property
    def first(self) -> datetime:
        """When the first candle of the warm-up opens, or would have."""
        possible = (self.start - BEFORE_ALL_MARKETS) // self.timeframe.duration
        return _next_open(self.timeframe, self.start - min(self.warm_up, possible) * self.timeframe.duration)


@dataclass(frozen=True, slots=True)
class LoadedCandles:
    """The candles, the index of the first one of the period, and what of them there isn't, as sentences."""

    bars: Bars
    start: int
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

    async def load(self, request: CandleRequest, on_progress: OnProgress) -> LoadedCandles:
        """Return the candles; raises `JobFailed` if there are none, too many to fetch or the venue doesn't answer."""
        source = self._source_of(request.market.venue)
        now = (self._clock.now() if source is None else source.venue_now()) - SETTLED
        end = request.timeframe.open_time(min(request.end, now))
        gaps = await self._gaps(request, request.first, end)
        read_from = 0.0
        if gaps and source is not None:
            await self._fetch(source, request, end, gaps, lambda share: on_progress(_FETCH_SHARE * share))
            gaps, read_from = await self._gaps(request, request.first, end), _FETCH_SHARE
        bars = await self._read(request, lambda share: on_progress(read_from + (1 - read_from) * share))
        start = bars.index_of(request.start)
        if start >= len(bars):
            raise JobFailed(
                f"There are no {request.timeframe.venue_name} candles of {request.market} from "
                f"{_text(request.start)} to {_text(request.end)}, neither stored nor at the venue."
            )
        missing = _missing(request.timeframe, _since(_next_open(request.timeframe, request.start), gaps))
        return LoadedCandles(bars, start, (*missing, *_cold(request, bars, start)))

    async def _read(self, request: CandleRequest, on_progress: OnProgress) -> Bars:
        expected, rows = (request.end - request.first) // request.timeframe.duration, 0

        def on_rows(count: int) -> None:
            nonlocal rows
            rows += count
            on_progress(min(rows / max(expected, 1), 1.0))

        return await self._bars.read(request.market, request.timeframe, request.first, request.end, on_rows)

    async def _gaps(self, request: CandleRequest, start: datetime, end: datetime) -> list[Span]:
        if start >= end:
            return []
        async with self._database.read_only() as reading:
            return await reading.market_data.candle_gaps(request.market, request.timeframe, start, end)

    async def _fetch(
        self,
        source: MarketDataSource,
        request: CandleRequest,
        end: datetime,
        gaps: list[Span],
        on_progress: OnProgress,
    ) -> None:
        step = request.timeframe.duration
        missing = sum((until - first) // step for first, until in gaps)
        if missing > MAX_FETCHED:
            raise JobFailed(
                f"{missing:,} {request.timeframe.venue_name} candles of {request.market} aren't stored, the first "
                f"from {_text(gaps[0][0])}; a job fetches at most {MAX_FETCHED:,}. Choose a shorter period or a longer "
                f"timeframe, or have the operator run: r3edge backfill {request.market.venue} {request.market.symbol} "
                f"--timeframe {request.timeframe.venue_name} --from {gaps[0][0]:%Y-%m-%dT%H:%MZ}"
            )
        history, done = HistoryDownloader(source, request.market, request.timeframe, lambda _text: None), 0
        try:
            for first, until in split_into_pages(gaps, PAGE * step):
                gap = Gap(first, until, await self._stored(request, first - step), until < end)
                async for candles, reached in _batches(history, gap):
                    await self._store(candles)
                    on_progress(min((done + (reached - first) // step) / max(missing, 1), 1.0))
                done += (until - first) // step
        except VenueUnreachable:
            raise JobFailed(
                f"{missing - done:,} {request.timeframe.venue_name} candles of {request.market} aren't stored, and "
                f"{request.market.venue} doesn't answer. Try again later."
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


async def _batches(history: HistoryDownloader, gap: Gap) -> AsyncIterator[tuple[tuple[Candle, ...], datetime]]:
    async for batch in history.fetch(gap):
        yield batch.candles, batch.until


def _since(start: datetime, gaps: list[Span]) -> list[Span]:
    return [(max(first, start), until) for first, until in gaps if until > start]


def _missing(timeframe: Timeframe, gaps: list[Span]) -> Iterator[str]:
    if gaps:
        missing = sum((until - first) // timeframe.duration for first, until in gaps)
        first, until = max(gaps, key=lambda gap: gap[1] - gap[0])
        yield (
            f"{missing:,} candles are missing, and the venue has none, most of them from {_text(first)} to "
            f"{_text(until)}; the others are taken as they are."
        )


def _cold(request: CandleRequest, bars: Bars, start: int) -> Iterator[str]:
    if start >= request.warm_up:
        return
    needed = f"The strategy needs {request.warm_up:,} candles before its first signal, and there are "
    if len(bars) <= request.warm_up:
        yield f"{needed}{len(bars):,}: it never signals."
    else:
        first = _text(from_milliseconds(int(bars.opened[request.warm_up])))
        yield f"{needed}{start:,} before the period: it can signal from {first} on."


def _next_open(timeframe: Timeframe, moment: datetime) -> datetime:
    opened = timeframe.open_time(moment)
    return opened if opened == moment else opened + timeframe.duration


def _text(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
