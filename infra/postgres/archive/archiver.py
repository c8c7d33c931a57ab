"""Moves candles of old months into files: written, read back and compared, listed, and only later dropped.

Each step can be the last one before a crash. Files are written under the number of a batch that the manifest has
already, so that the next run finds and deletes what nobody finished. Rows are dropped an hour or more after queries
began to read the files with the database, in one transaction with the record of it, and only if they still are what was
written; otherwise they are written again.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from io import BytesIO
from typing import Final
from urllib.parse import quote

import pyarrow as pa

from domain.core.errors import Unavailable
from domain.model.archive import ArchivedFile, Batch, BatchState
from domain.ports.archive import ArchiveStorage, ArchiveUnreadable
from infra.postgres.archive.candle_file import (
    CandleFile,
    UnarchivableNumber,
    candle_file,
    parse_rows,
    period_of,
    read_candle_file,
    sums_of,
)
from infra.postgres.archive.lock import locked_archive
from infra.postgres.archive.manifest import CANDLES, Manifest
from infra.postgres.archive.table_sums import MarketSums, market_sums, sum_of, table_sum
from infra.postgres.connection import Connection, DriverConnection, translate_driver_errors
from infra.postgres.partitions import partition_name
from infra.postgres.pool import Pool

log = logging.getLogger(__name__)

GRACE: Final = timedelta(hours=1)
"""How long files are read before rows are dropped: longer than any snapshot, and than a manifest is kept in memory."""
SLOW_STATEMENT_SECONDS: Final = 3_600.0
# Microseconds since 1970, exact up to the year 2242: as text, a time would take longer than all numbers of its row.
_ROWS: Final = """
SELECT timeframe, (date_part('epoch', open_time) * 1000000)::bigint, open, high, low, close, volume
FROM {} WHERE market = $1 ORDER BY timeframe, open_time"""
_MONTHS: Final = """
SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = oid
WHERE inhparent = 'candles'::regclass ORDER BY relname"""


class Step(StrEnum):
    """After what a run can be interrupted; for tests."""

    BEGUN = "BEGUN"
    FILE_WRITTEN = "FILE_WRITTEN"
    FILES_VERIFIED = "FILES_VERIFIED"
    LISTED = "LISTED"
    ROWS_DROPPED = "ROWS_DROPPED"
    DROPPED = "DROPPED"
    CLEANED = "CLEANED"


class NotAsWritten(Exception):
    """A file that was read back isn't what was written, so that nothing is dropped."""


@dataclass(frozen=True, slots=True)
class RunResult:
    """The months whose rows a run wrote to files, whose rows it dropped, and which it left for an error."""

    written: tuple[Batch, ...]
    dropped: tuple[Batch, ...]
    failed: tuple[tuple[datetime, str], ...]


class Archiver:
    """Archives candles of whole months; one at a time of all nodes and commands."""

    def __init__(
        self,
        pool: Pool,
        storage: ArchiveStorage,
        *,
        grace: timedelta = GRACE,
        on_step: Callable[[Step], None] = lambda _step: None,
    ) -> None:
        self._pool = pool
        self._storage = storage
        self._grace = grace
        self._on_step = on_step

    async def run(self, before: datetime, month: datetime | None = None) -> RunResult:
        """Write the months that end by `before` to files, and drop the rows whose files have been read long enough.

        With a `month` that one alone is written, restored before or not. What fails is left as it is for the next run.
        Raises `ArchiveBusy`, and `Unavailable`, also if what was archived before can't be read.
        """
        async with locked_archive(self._pool) as driver:
            connection = Connection(driver)
            await self._check_storage(connection)
            await self._clean_up(connection)
            failed: list[tuple[datetime, str]] = []
            written: list[int] = []
            for at in await self._months(connection, before, month):
                try:
                    written += await self._write(driver, at)
                except (NotAsWritten, UnarchivableNumber, ArchiveUnreadable) as error:
                    log.error("candles of %s could not be archived: %s", f"{at:%Y-%m}", error)  # noqa: TRY400  # said in full
                    failed.append((at, str(error)))
            dropped, not_dropped = await self._drop_all(connection)
            batches = {batch.id: batch for batch in await Manifest(connection).batches()}
            return RunResult(
                tuple(batches[id_] for id_ in written),
                tuple(batches[id_] for id_ in dropped),
                (*failed, *((batches[id_].month, error) for id_, error in not_dropped if id_ in batches)),
            )

    async def _check_storage(self, connection: Connection) -> None:
        """Raise unless a file of the last month whose rows were dropped is there.

        A folder that isn't mounted, or that another node has for itself, would take files that nobody finds later.
        """
        name = await Manifest(connection).last_dropped_file()
        if name is not None:
            await self._storage.read(name)

    async def _clean_up(self, connection: Connection) -> None:
        """Delete files that nobody reads: first the files, then what names them."""
        manifest = Manifest(connection)
        for batch_id, folder in await manifest.abandoned(self._grace):
            await self._storage.delete_folder(folder)
            self._on_step(Step.CLEANED)
            await manifest.delete(batch_id)

    async def _months(self, connection: Connection, before: datetime, month: datetime | None) -> list[datetime]:
        """Return the months with rows that are to be written: all that ended by `before`, but for those restored."""
        batches = await Manifest(connection).batches()
        kept = {batch.month for batch in batches if batch.state is BatchState.VERIFIED}
        if month is None:
            kept |= {batch.month for batch in batches if batch.state is BatchState.RESTORED}
        found = []
        for row in await connection.fetch(_MONTHS):
            at = datetime.strptime(row["relname"], "candles_%Y_%m").replace(tzinfo=UTC)
            is_due = at not in kept and at < before and month in {None, at}
            if is_due and await connection.fetchval(f"SELECT EXISTS (SELECT FROM {row['relname']})"):
                found.append(at)
        return found

    async def _write(self, driver: DriverConnection, month: datetime) -> list[int]:
        """Write a month's rows to files, read them back, and list them; return the batch."""
        connection = Connection(driver)
        batch_id, folder = await Manifest(connection).begin(month)
        self._on_step(Step.BEGUN)
        await connection.execute(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0;"
            "SET LOCAL statement_timeout = 0; SET LOCAL TimeZone = 'UTC'"
        )
        try:
            table = partition_name(CANDLES, month)
            sums = await market_sums(connection, table)
            files = await self._write_markets(driver, table, folder, sums)
        finally:
            if not driver.is_closed():
                await connection.execute("ROLLBACK")
        self._on_step(Step.FILES_VERIFIED)
        async with connection.in_transaction():
            await Manifest(connection).verify(batch_id, files, sum_of(sums).hash)
        self._on_step(Step.LISTED)
        log.info("candles of %s were archived: %d files", f"{month:%Y-%m}", len(files))
        return [batch_id]

    async def _write_markets(
        self, driver: DriverConnection, table: str, folder: str, sums: Sequence[MarketSums]
    ) -> list[ArchivedFile]:
        """Write a file for each market; while one is encoded and compared, PostgreSQL sends the rows of the next."""
        files: list[ArchivedFile] = []
        writing: asyncio.Task[ArchivedFile] | None = None
        try:
            for each in sums:
                lines = await _lines(driver, table, each.market)
                if writing is not None:
                    files.append(await writing)
                writing = asyncio.create_task(self._write_market(folder, each, lines))
            if writing is not None:
                files.append(await writing)
        finally:
            if writing is not None:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        return files

    async def _write_market(self, folder: str, expected: MarketSums, lines: bytes) -> ArchivedFile:
        rows, made = await asyncio.to_thread(_made, lines, expected)
        name = f"{folder}/{_file_name(expected.market)}"
        await self._storage.write(name, made.content)
        self._on_step(Step.FILE_WRITTEN)
        back = await self._storage.read(name)
        await asyncio.to_thread(_compare, name, back, rows, expected)
        return ArchivedFile(
            expected.market,
            name,
            made.rows,
            len(made.content),
            made.sha256,
            expected.first,
            expected.last,
            expected.sums,
        )

    async def _drop_all(self, connection: Connection) -> tuple[list[int], list[tuple[int, str]]]:
        """Drop what may be dropped; return the batches that were dropped, and those that were not with the reasons."""
        dropped: list[int] = []
        failed: list[tuple[int, str]] = []
        manifest = Manifest(connection)
        months = {batch.id: batch.month for batch in await manifest.batches()}
        for batch_id in await manifest.droppable(self._grace):
            try:
                await self._check_files(manifest, batch_id)
                if await self._drop(connection, batch_id, months[batch_id]):
                    dropped.append(batch_id)
                    self._on_step(Step.DROPPED)
            except (ArchiveUnreadable, NotAsWritten) as error:
                log.error("archived candles of %s: %s", f"{months[batch_id]:%Y-%m}", error)  # noqa: TRY400  # said in full
                failed.append((batch_id, str(error)))
                await self._archive_again(connection, batch_id, months[batch_id])
            except Unavailable as error:
                log.warning("candles of %s stay in the database: %s", f"{months[batch_id]:%Y-%m}", error)
                failed.append((batch_id, str(error)))
        return dropped, failed

    async def _check_files(self, manifest: Manifest, batch_id: int) -> None:
        """Raise unless all files of the batch are still what was written."""
        for file in await manifest.files(batch_id):
            found = CandleFile(await self._storage.read(file.name), file.rows)
            if found.sha256 != file.sha256:
                raise NotAsWritten(f"{file.name} isn't what was written")

    async def _archive_again(self, connection: Connection, batch_id: int, month: datetime) -> None:
        """Have a batch whose files are damaged written again, if its rows are in the database."""
        async with connection.in_transaction():
            expected = await Manifest(connection).lock_sum(batch_id)
            stored = await table_sum(connection, partition_name(CANDLES, month))
            if expected is not None and stored.rows >= expected.rows:
                await Manifest(connection).set_state(batch_id, BatchState.SUPERSEDED)

    async def _drop(self, connection: Connection, batch_id: int, month: datetime) -> bool:
        """Drop the rows of a batch unless they have changed since; return whether they were dropped.

        Rows are never deleted, so if there are fewer than were archived, they were lost: a dump of the database, made
        while they were dropped, has none. Then the files count, and what is in the database with them.

        The empty partition stays: late corrections are stored there. Writers wait meanwhile, readers only for the
        emptying itself, and if it doesn't get its lock at once, it is left to the next run.
        """
        table, manifest = partition_name(CANDLES, month), Manifest(connection)
        async with connection.in_transaction():
            await connection.execute("SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = 0")
            expected = await manifest.lock_sum(batch_id)
            if expected is None:
                return False
            await connection.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
            stored = await table_sum(connection, table)
            if stored != expected and stored.rows >= expected.rows:
                await manifest.set_state(batch_id, BatchState.SUPERSEDED)
                log.info("candles of %s have changed, and are archived again", f"{month:%Y-%m}")
                return False
            if stored == expected:
                await connection.execute(f"TRUNCATE {table}")
            self._on_step(Step.ROWS_DROPPED)
            await manifest.drop(batch_id, month)
        log.info("candles of %s are in the archive alone", f"{month:%Y-%m}")
        return True


async def _lines(driver: DriverConnection, table: str, market: str) -> bytes:
    """Return a market's rows as CSV, in the order of a file."""
    lines = BytesIO()
    with translate_driver_errors(driver):
        await driver.copy_from_query(
            _ROWS.format(table), market, output=lines, format="csv", timeout=SLOW_STATEMENT_SECONDS
        )
    return lines.getvalue()


def _file_name(market: str) -> str:
    """Return a market's path, another one for each: that of `binance:BTC/USDT` is `binance/BTC_USDT.parquet`."""
    venue, _, symbol = market.partition(":")
    return f"{_plain(venue)}/{_plain(symbol)}.parquet"


def _plain(text: str) -> str:
    return quote(text, safe="/").replace("_", "%5F").replace(".", "%2E").replace("/", "_")


def _made(lines: bytes, expected: MarketSums) -> tuple[pa.Table, CandleFile]:
    rows = parse_rows(lines, expected.market, expected.scales)
    return rows, candle_file(rows)


def _compare(name: str, content: bytes, rows: pa.Table, expected: MarketSums) -> None:
    """Compare a file with the rows that were written, and with what the database counted and added up itself."""
    try:
        back = read_candle_file(content)
    except pa.ArrowException as error:
        raise NotAsWritten(f"{name} can't be read back: {error}") from None
    if not back.equals(rows):
        raise NotAsWritten(f"{name} has other rows than were written")
    if (back.num_rows, sums_of(back)) != (expected.rows, expected.sums):
        raise NotAsWritten(f"{name} has {back.num_rows} rows; the database has {expected.rows}, or other sums")
    if period_of(back) != (expected.first, expected.last):
        raise NotAsWritten(f"{name} has other times than the database")
