"""Reads archived snapshots of books from their files: the first one of each interval of a period."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl

from domain.model.markets import Depth, MarketSymbol, PriceLevel
from domain.ports.archive import ArchiveStorage
from infra.postgres.archive.archived_files import ArchivedFiles
from infra.postgres.archive.tables import DEPTH_SNAPSHOTS
from infra.postgres.connection import Connection

CACHED_SNAPSHOTS: Final = 20_000
"""How many snapshots are kept in memory: some 130 MB if they have 100 levels a side."""
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Content:
    """The snapshots of a file in their order, and their times in microseconds since 1970."""

    rows: pl.DataFrame
    times: npt.NDArray[np.int64]


class ArchivedDepths:
    """The snapshots of books in files, for queries that read them with the stored ones.

    A snapshot never changes; what is in both places counts once. Methods raise `Unavailable` if a file can't be read,
    as `ArchivedFiles` do.
    """

    def __init__(self, storage: ArchiveStorage | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._files = ArchivedFiles(DEPTH_SNAPSHOTS.name, _content_of, storage, monotonic, CACHED_SNAPSHOTS)

    async def first_of_each(
        self,
        connection: Connection,
        market: MarketSymbol,
        period: tuple[datetime, datetime],
        every: timedelta,
        levels: int,
    ) -> list[Depth]:
        """Return the first archived snapshot of each interval of a period, with its top; several of one for batches."""
        start, end = period
        found: list[Depth] = []
        for file in await self._files.within(connection, str(market), start, end):
            content = await self._files.content(file)
            found += await asyncio.to_thread(_firsts, market, content, (start, end), every, levels)
        return found

    def forget(self) -> None:
        """Read the manifest again at the next use."""
        self._files.forget()


def first_of_each(depths: Sequence[Depth], start: datetime, every: timedelta) -> list[Depth]:
    """Return the first snapshot of each interval, oldest first."""
    firsts: dict[int, Depth] = {}
    for depth in sorted(depths, key=lambda each: (each.received_at, each.epoch, each.sequence)):
        firsts.setdefault((depth.received_at - start) // every, depth)
    return list(firsts.values())


def _content_of(content: bytes) -> _Content:
    rows = pl.read_parquet(BytesIO(content)).drop("market")
    return _Content(rows, rows["at"].to_physical().to_numpy())


def _firsts(
    market: MarketSymbol, content: _Content, period: tuple[datetime, datetime], every: timedelta, levels: int
) -> list[Depth]:
    first, until = content.times.searchsorted([_microseconds(at) for at in period]).tolist()
    intervals = (content.times[first:until] - _microseconds(period[0])) // (every // _MICROSECOND)
    _, places = np.unique(intervals, return_index=True)
    return [_depth(market, row, levels) for row in content.rows[first + places].iter_rows(named=True)]


def _depth(market: MarketSymbol, row: dict[str, Any], levels: int) -> Depth:
    return Depth(
        market,
        row["epoch"],
        row["sequence"],
        _top(row["bids"], levels),
        _top(row["asks"], levels),
        None if row["venue_time"] is None else row["venue_time"].astimezone(UTC),
        row["at"].astimezone(UTC),
    )


def _top(side: Sequence[dict[str, Decimal]], levels: int) -> tuple[PriceLevel, ...]:
    return tuple(PriceLevel(level["price"], level["quantity"]) for level in side[:levels])


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND
