"""Reads archived candles from their files: which files there are is known from the manifest, what was read is kept."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from itertools import groupby
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from domain.core.pagination import TimeKeysetPage
from domain.model.archive import ArchivedFile
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.ports.archive import ArchiveStorage
from infra.postgres.archive.archived_files import ArchivedFiles
from infra.postgres.archive.archived_rows import ArchivedRows, all_rows, no_rows
from infra.postgres.archive.columns import MOST_DIGITS, NUMBERS
from infra.postgres.archive.tables import CANDLES
from infra.postgres.connection import Connection

_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LONGEST: Final = max(timeframe.duration for timeframe in Timeframe)


@dataclass(frozen=True, slots=True)
class _Series:
    """The rows of a file of one timeframe, and their opening times in microseconds since 1970."""

    rows: pl.DataFrame
    opened: npt.NDArray[np.int64]

    def place(self, at: datetime) -> int:
        """Return how many rows open before a time."""
        return int(self.opened.searchsorted((at - _EPOCH) // _MICROSECOND))


PageRow = tuple[datetime, Decimal, Decimal, Decimal, Decimal, Decimal]
"""When a candle opens, and its `NUMBERS`."""

_Content = dict[str, _Series]
"""The rows of a file by their timeframes."""


class LastClose(NamedTuple):
    """When a candle closed, how long it was, and its closing price."""

    closed: datetime
    length: timedelta
    price: Decimal


class ArchivedCandles:
    """The candles in files, for queries that read them with the stored ones.

    What is in both places counts once. Methods raise `Unavailable` if a file can't be read, as `ArchivedFiles` do.
    """

    def __init__(self, storage: ArchiveStorage | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._files = ArchivedFiles(CANDLES.name, _content_of, storage, monotonic)

    async def last(self, connection: Connection, market: MarketSymbol) -> datetime | None:
        """Return when the last archived candle of a market opens, of whichever timeframe; None if there is none."""
        return await self._files.last(connection, str(market))

    async def first(self, connection: Connection, market: MarketSymbol) -> datetime | None:
        """Return when the first archived candle of a market opens, of whichever timeframe; None if there is none."""
        return await self._files.first(connection, str(market))

    async def page(
        self, connection: Connection, market: MarketSymbol, timeframe: Timeframe, page: TimeKeysetPage
    ) -> list[PageRow]:
        """Return times and `NUMBERS` of the archived candles of a page, oldest first: no more than its limit."""
        start = max(page.start or _EARLIEST, _EARLIEST if page.after is None else page.after + _MICROSECOND)
        end = min(page.end or _LATEST, page.before or _LATEST)
        months = await self._months(connection, market, start, end)
        found: list[PageRow] = []
        for files in reversed(months) if page.backwards else months:
            if slices := await self._slices(files, timeframe, start, end):
                rows, left = _merged(slices), page.limit - len(found)
                part = _tuples(rows.tail(left) if page.backwards else rows.head(left))
                found = [*part, *found] if page.backwards else [*found, *part]
            if len(found) >= page.limit:
                break
        return found

    async def rows(
        self,
        connection: Connection,
        market: MarketSymbol,
        timeframes: Sequence[Timeframe],
        start: datetime,
        end: datetime,
    ) -> ArchivedRows:
        """Return the archived candles that open from `start` to before `end`."""
        months = await self._months(connection, market, start, end)
        return all_rows([await self._rows(files, timeframes, start, end) for files in months])

    async def last_close(
        self, connection: Connection, market: MarketSymbol, moment: datetime, max_age: timedelta
    ) -> LastClose | None:
        """Return the archived candle that closed last by a moment, and less than `max_age` before it.

        It is in the last month that has any by then or, if it is a long one, in the one before. No file is read whose
        candles all are too old, so that nothing that asks for the last price waits for the archive.
        """
        best: LastClose | None = None
        oldest = moment - min(max_age + _LONGEST, moment - _EARLIEST)
        for files in reversed(await self._months(connection, market, oldest, moment)):
            had_any = best is not None
            for file in reversed(files):
                best = later(best, _last_close(await self._files.content(file), moment))
            if had_any:
                break
        return None if best is None or best.closed <= moment - max_age else best

    async def frames(
        self, connection: Connection, market: MarketSymbol, timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[pl.DataFrame]:
        """Return the archived candles as exact numbers, in the order of time, one frame a month."""
        months = await self._months(connection, market, start, end)
        slices = [await self._slices(files, timeframe, start, end) for files in months]
        return [_merged(month) for month in slices if month]

    async def by_month(
        self,
        connection: Connection,
        market: MarketSymbol,
        timeframes: Sequence[Timeframe],
        start: datetime,
        end: datetime,
    ) -> AsyncIterator[dict[Timeframe, pl.DataFrame]]:
        """Yield the archived candles of each month by their timeframes, in the order of time."""
        for files in await self._months(connection, market, start, end):
            slices = {timeframe: await self._slices(files, timeframe, start, end) for timeframe in timeframes}
            yield {timeframe: _merged(several) for timeframe, several in slices.items() if several}

    async def without_archived(self, connection: Connection, candles: Sequence[Candle]) -> list[Candle]:
        """Return the candles without those that are archived."""
        left: list[Candle] = []
        for (market, timeframe), group in groupby(sorted(candles, key=_series_and_time), key=_series):
            several = list(group)
            end = several[-1].open_time + _MICROSECOND
            frames = await self.frames(connection, market, timeframe, several[0].open_time, end)
            archived = {at for frame in frames for at in frame["open_time"]}
            left += [candle for candle in several if candle.open_time not in archived]
        return left

    def forget(self) -> None:
        """Read the manifest again at the next use."""
        self._files.forget()

    async def _months(
        self, connection: Connection, market: MarketSymbol, start: datetime, end: datetime
    ) -> list[list[ArchivedFile]]:
        return await self._files.months(connection, str(market), start, end)

    async def _rows(
        self, files: Sequence[ArchivedFile], timeframes: Iterable[Timeframe], start: datetime, end: datetime
    ) -> ArchivedRows:
        found = [
            _texts(_merged(slices), files[0].part, timeframe)
            for timeframe in timeframes
            if (slices := await self._slices(files, timeframe, start, end))
        ]
        return ArchivedRows(pl.concat(found)) if found else no_rows()

    async def _slices(
        self, files: Sequence[ArchivedFile], timeframe: Timeframe, start: datetime, end: datetime
    ) -> list[pl.DataFrame]:
        """Return the rows of each file within the period, those of the latest batch first."""
        slices = []
        for file in reversed(files):
            if (series := (await self._files.content(file)).get(timeframe.value)) is not None:
                from_, until = series.place(start), series.place(end)
                if until > from_:
                    slices.append(series.rows.slice(from_, until - from_))
        return slices


def _series(candle: Candle) -> tuple[MarketSymbol, Timeframe]:
    return candle.market, candle.timeframe


def _series_and_time(candle: Candle) -> tuple[str, str, datetime]:
    return str(candle.market), candle.timeframe, candle.open_time


def _content_of(content: bytes) -> _Content:
    parts = pl.read_parquet(BytesIO(content)).drop("market").partition_by("timeframe", as_dict=True, include_key=False)
    return {
        str(timeframe): _Series(rows, rows["open_time"].to_physical().to_numpy())
        for (timeframe,), rows in parts.items()
    }


def _last_close(content: _Content, moment: datetime) -> LastClose | None:
    best: LastClose | None = None
    for timeframe in Timeframe:
        if (series := content.get(timeframe.value)) is not None:
            place = series.place(moment - timeframe.duration + _MICROSECOND) - 1
            if place >= 0:
                closed = _EPOCH + int(series.opened[place]) * _MICROSECOND + timeframe.duration
                best = later(best, LastClose(closed, timeframe.duration, series.rows["close"][place]))
    return best


def later(best: LastClose | None, other: LastClose | None) -> LastClose | None:
    """Return which of two closes later; of those at the same time the shorter one, and the first of equal ones."""
    if best is None or other is None:
        return best or other
    return other if (other.closed, -other.length) > (best.closed, -best.length) else best


def _merged(slices: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the rows of files in the order of time; of two for the same time, the one of the first slice."""
    if len(slices) == 1:
        return slices[0]
    exact = [pl.col(name).cast(pl.Decimal(MOST_DIGITS, max(_scale(rows, name) for rows in slices))) for name in NUMBERS]
    return (
        pl.concat([rows.with_columns(exact) for rows in slices])
        .unique("open_time", keep="first", maintain_order=True)
        .sort("open_time")
    )


def _scale(rows: pl.DataFrame, name: str) -> int:
    kind = rows.schema[name]
    assert isinstance(kind, pl.Decimal)
    return kind.scale


def _tuples(rows: pl.DataFrame) -> list[PageRow]:
    columns = [rows[name].to_list() for name in NUMBERS]
    times = [_EPOCH + at * _MICROSECOND for at in rows["open_time"].to_physical().to_list()]
    return list(zip(times, *columns, strict=True))


def _texts(rows: pl.DataFrame, market: str, timeframe: Timeframe) -> pl.DataFrame:
    names = (pl.lit(market).alias("market"), pl.lit(timeframe.value).alias("timeframe"))
    return rows.select(*names, "open_time", pl.col(*NUMBERS).cast(pl.String))
