"""Reads archived trades from their files, as pages and as the volumes of a period."""

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from asyncpg import Record

from domain.core.pagination import TimeKeysetPage
from domain.model.archive import ArchivedFile
from domain.model.markets import MarketSymbol, Trade
from domain.model.volume import PriceVolume
from domain.ports.archive import ArchiveStorage
from infra.postgres.archive.archived_files import ArchivedFiles
from infra.postgres.archive.columns import MOST_DIGITS
from infra.postgres.archive.tables import TRADES
from infra.postgres.connection import Connection

_EARLIEST: Final = datetime.min.replace(tzinfo=UTC)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_SIDE: Final = pl.Enum(["BUY", "SELL"])
_STORED_KEYS: Final = "SELECT at, venue_trade_id FROM trades WHERE market = $1 AND at >= $2 AND at <= $3"

TradeKey = tuple[datetime, int, str]
"""What trades are ordered by: the time, and the length and the characters of the id."""


class TradeRow(NamedTuple):
    """A trade as the database returns it; `side` is text."""

    venue_trade_id: str
    at: datetime
    price: Decimal
    quantity: Decimal
    side: str

    @property
    def key(self) -> TradeKey:
        """What trades are ordered by."""
        return self.at, *_order(self.venue_trade_id)


@dataclass(frozen=True, slots=True)
class _Content:
    """The trades of a file in their order, and their times in microseconds since 1970."""

    rows: pl.DataFrame
    times: npt.NDArray[np.int64]

    def before(self, at: datetime, id_: str | None = None) -> int:
        """Return how many trades are before a time; with an id, how many are before that trade of that time."""
        first = int(self.times.searchsorted(_microseconds(at)))
        return first if id_ is None else first + sum(_order(each) < _order(id_) for each in self._at(at))

    def until(self, at: datetime, id_: str | None = None) -> int:
        """Return how many trades are up to a time; with an id, how many are up to that trade of that time."""
        if id_ is None:
            return int(self.times.searchsorted(_microseconds(at), "right"))
        return self.before(at) + sum(_order(each) <= _order(id_) for each in self._at(at))

    def slice(self, first: int, until: int) -> pl.DataFrame:
        """Return the trades from one place to before another."""
        return self.rows.slice(first, max(until - first, 0))

    def _at(self, at: datetime) -> pl.Series:
        first, until = self.before(at), self.until(at)
        return self.rows["venue_trade_id"].slice(first, until - first)


class ArchivedTrades:
    """The trades in files, for queries that read them with the stored ones.

    A trade never changes; what is in both places, or in the files of several batches, counts once, by time and id.
    Methods raise `Unavailable` if a file can't be read, as `ArchivedFiles` do.
    """

    def __init__(self, storage: ArchiveStorage | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._files = ArchivedFiles(TRADES.name, _content_of, storage, monotonic)

    async def merged_page(
        self, connection: Connection, market: MarketSymbol, page: TimeKeysetPage, stored: Sequence[TradeRow]
    ) -> list[TradeRow]:
        """Return the page of the archived trades and the stored ones; reads only files that may belong into it."""
        start = max(page.start or _EARLIEST, page.after or _EARLIEST)
        end = min(page.end or _LATEST, page.before or _LATEST)
        files = [file for file in await self._files.of_part(connection, str(market)) if start <= file.last]
        files = [file for file in files if file.first <= end]
        if not files:
            return list(stored)
        files.sort(key=lambda file: file.last if page.backwards else file.first, reverse=page.backwards)
        found = {row.key: row for row in stored}
        for file in files:
            if len(found) >= page.limit and _is_beyond(file, found, backwards=page.backwards):
                break
            rows = _on_page(await self._files.content(file), page)
            both = {row.key: row for row in rows} | found
            keys = sorted(both)
            found = {key: both[key] for key in (keys[-page.limit :] if page.backwards else keys[: page.limit])}
        return [found[key] for key in sorted(found)]

    async def frames(
        self, connection: Connection, market: MarketSymbol, start: datetime, end: datetime
    ) -> AsyncIterator[pl.DataFrame]:
        """Yield the archived trades from `start` to before `end` that aren't stored, each once: one frame a file."""
        files = await self._files.within(connection, str(market), start, end)
        for number, file in enumerate(files):
            content = await self._files.content(file)
            rows = content.slice(content.before(start), content.before(end))
            if not rows.height:
                continue
            for later in files[number + 1 :]:
                if later.first <= file.last and later.last >= file.first:
                    rows = _without(rows, (await self._files.content(later)).rows)
            keys = await connection.fetch(_STORED_KEYS, str(market), max(start, file.first), min(end, file.last))
            yield _without(rows, _frame_of(keys, rows)) if keys else rows

    async def without_archived(self, connection: Connection, trades: Sequence[Trade]) -> list[Trade]:
        """Return the trades without those that are archived: to store them again would count their volume twice."""
        left: list[Trade] = []
        for market, several in _by_market(trades).items():
            archived: set[tuple[datetime, str]] = set()
            start, end = min(trade.at for trade in several), max(trade.at for trade in several)
            for file in await self._files.within(connection, market, start, end + _MICROSECOND):
                content = await self._files.content(file)
                rows = content.slice(content.before(start), content.until(end))
                archived |= set(zip(_times(rows), rows["venue_trade_id"], strict=True))
            left += [trade for trade in several if (trade.at, trade.venue_trade_id) not in archived]
        return left

    def forget(self) -> None:
        """Read the manifest again at the next use."""
        self._files.forget()


def volumes_by_price(rows: pl.DataFrame) -> list[PriceVolume]:
    """Return what was bought and sold at each price."""
    quantity = pl.col("quantity").cast(pl.Decimal(MOST_DIGITS, _scale(rows["quantity"])))
    sides = [quantity.filter(pl.col("side") == side).sum().alias(side) for side in ("BUY", "SELL")]
    return [PriceVolume(*row) for row in rows.group_by("price").agg(sides).iter_rows()]


def _content_of(content: bytes) -> _Content:
    rows = pl.read_parquet(BytesIO(content)).drop("market").with_columns(pl.col("side").cast(_SIDE))
    return _Content(rows, rows["at"].to_physical().to_numpy())


def _is_beyond(file: ArchivedFile, found: Iterable[TradeKey], *, backwards: bool) -> bool:
    """Return whether all of a file is behind a full page."""
    return file.last < min(found)[0] if backwards else file.first > max(found)[0]


def _on_page(content: _Content, page: TimeKeysetPage) -> list[TradeRow]:
    """Return the trades of a file that may be on a page, `page.limit` at most."""
    first = 0 if page.start is None else content.before(page.start)
    if page.after is not None:
        first = max(first, content.until(page.after, page.after_id))
    until = content.rows.height if page.end is None else content.before(page.end)
    if page.before is not None:
        until = min(until, content.before(page.before, page.before_id))
    rows = content.slice(first, until)
    rows = rows.tail(page.limit) if page.backwards else rows.head(page.limit)
    columns = [rows[name].to_list() for name in ("price", "quantity", "side")]
    return [TradeRow(*values) for values in zip(rows["venue_trade_id"], _times(rows), *columns, strict=True)]


def _times(rows: pl.DataFrame) -> list[datetime]:
    return [_EPOCH + at * _MICROSECOND for at in rows["at"].to_physical().to_list()]


def _without(rows: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    return rows.join(others, on=["at", "venue_trade_id"], how="anti")


def _frame_of(keys: Sequence[Record], like: pl.DataFrame) -> pl.DataFrame:
    columns = {name: [row[name] for row in keys] for name in ("at", "venue_trade_id")}
    return pl.DataFrame(columns, schema={name: like.schema[name] for name in columns})


def _scale(numbers: pl.Series) -> int:
    kind = numbers.dtype
    assert isinstance(kind, pl.Decimal)
    return kind.scale


def _order(venue_trade_id: str) -> tuple[int, str]:
    """Return what trades of the same time are ordered by."""
    return len(venue_trade_id), venue_trade_id


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _by_market(trades: Sequence[Trade]) -> dict[str, list[Trade]]:
    markets: dict[str, list[Trade]] = {}
    for trade in trades:
        markets.setdefault(str(trade.market), []).append(trade)
    return markets
