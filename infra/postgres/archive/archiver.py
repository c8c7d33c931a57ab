"""Moves rows of old months into files: written, read back and compared, listed, and only later dropped.

Each step can be the last one before a crash. Files are written under the number of a batch that the manifest has
already, so that the next run finds and deletes what nobody finished. Rows are dropped an hour or more after queries
began to read the files with the database, in one transaction with the record of it, and only if they still are what was
written; otherwise they are written again.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from io import BytesIO
from typing import Final

import pyarrow as pa

from domain.core.errors import Unavailable
from domain.model.archive import ArchivedFile, Batch, BatchState
from domain.ports.archive import ArchiveStorage, ArchiveUnreadable
from infra.postgres.archive.lock import locked_archive
from infra.postgres.archive.manifest import Manifest
from infra.postgres.archive.table_file import (
    TableFile,
    UnarchivableRow,
    parse_rows,
    period_of,
    read_table_file,
    sums_of,
    table_file,
)
from infra.postgres.archive.table_sums import PartSums, part_sums, sum_of, table_sum
from infra.postgres.archive.tables import ARCHIVED_TABLES, ArchivedTable, Kind
from infra.postgres.connection import Connection, DriverConnection, translate_driver_errors
from infra.postgres.partitions import partition_name
from infra.postgres.pool import Pool

log = logging.getLogger(__name__)

GRACE: Final = timedelta(hours=1)
"""How long files are read before rows are dropped: longer than any snapshot, and than a manifest is kept in memory."""
SLOW_STATEMENT_SECONDS: Final = 3_600.0
_MONTHS: Final = """
SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = oid
WHERE inhparent = $1::text::regclass ORDER BY relname"""


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
class Failure:
    """A month of a table that a run left as it was, and why."""

    table: str
    month: datetime
    error: str


@dataclass(frozen=True, slots=True)
class RunResult:
    """The months whose rows a run wrote to files, whose rows it dropped, and which it left for an error."""

    written: tuple[Batch, ...]
    dropped: tuple[Batch, ...]
    failed: tuple[Failure, ...]


class Archiver:
    """Archives whole months of tables; one at a time of all nodes and commands."""

    def __init__(
        self,
        pool: Pool,
        storage: ArchiveStorage,
        *,
        grace: timedelta = GRACE,
        tables: Mapping[str, ArchivedTable] = ARCHIVED_TABLES,
        on_step: Callable[[Step], None] = lambda _step: None,
    ) -> None:
        self._pool = pool
        self._storage = storage
        self._grace = grace
        self._tables = tables
        self._on_step = on_step

    async def run(self, before: datetime | Mapping[str, datetime], month: datetime | None = None) -> RunResult:
        """Write the months that end by `before` to files, and drop the rows whose files have been read long enough.

        `before` may be another time for each table; one that it lacks isn't archived. With a `month` that one alone is
        written, restored before or not. What fails is left as it is for the next run.
        Raises `ArchiveBusy`, and `Unavailable`, also if what was archived before can't be read.
        """
        async with locked_archive(self._pool) as driver:
            connection = Connection(driver)
            await self._check_storage(connection)
            await self._clean_up(connection)
            failed: list[Failure] = []
            written: list[int] = []
            for table, at in await self._due(connection, before, month):
                try:
                    written.append(await self._write(driver, table, at))
                except (NotAsWritten, UnarchivableRow, ArchiveUnreadable) as error:
                    log.error("%s of %s could not be archived: %s", table.name, f"{at:%Y-%m}", error)  # noqa: TRY400  # said in full
                    failed.append(Failure(table.name, at, str(error)))
            dropped, not_dropped = await self._drop_all(connection)
            batches = {batch.id: batch for batch in await Manifest(connection).batches()}
            return RunResult(
                tuple(batches[id_] for id_ in written),
                tuple(batches[id_] for id_ in dropped),
                (*failed, *not_dropped),
            )

    async def batches(self) -> list[Batch]:
        """Return all batches of all tables."""
        async with self._pool.acquire() as driver:
            return await Manifest(Connection(driver)).batches()

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

    async def _due(
        self, connection: Connection, before: datetime | Mapping[str, datetime], month: datetime | None
    ) -> list[tuple[ArchivedTable, datetime]]:
        """Return the months of tables that are to be written: all that ended by `before`, but for those restored."""
        due: list[tuple[ArchivedTable, datetime]] = []
        for table in self._tables.values():
            end = before if isinstance(before, datetime) else before.get(table.name)
            if end is not None:
                due += [(table, at) for at in await _months(connection, table, month) if at < end]
        return due

    async def _write(self, driver: DriverConnection, table: ArchivedTable, month: datetime) -> int:
        """Write a month's rows to files, read them back, and list them; return the batch."""
        connection = Connection(driver)
        manifest = Manifest(connection, table.name)
        batch_id, folder = await manifest.begin(month)
        self._on_step(Step.BEGUN)
        await connection.execute(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0;"
            "SET LOCAL statement_timeout = 0; SET LOCAL TimeZone = 'UTC'"
        )
        try:
            sums = await part_sums(connection, table, partition_name(table.name, month))
            files = await self._write_parts(driver, table, month, folder, sums)
        finally:
            if not driver.is_closed():
                await connection.execute("ROLLBACK")
        self._on_step(Step.FILES_VERIFIED)
        async with connection.in_transaction():
            await manifest.verify(batch_id, files, sum_of(sums).hash)
        self._on_step(Step.LISTED)
        log.info("%s of %s were archived: %d files", table.name, f"{month:%Y-%m}", len(files))
        return batch_id

    async def _write_parts(
        self, driver: DriverConnection, table: ArchivedTable, month: datetime, folder: str, sums: Sequence[PartSums]
    ) -> list[ArchivedFile]:
        """Write a file for each part; while one is encoded and compared, PostgreSQL sends the rows of the next."""
        files: list[ArchivedFile] = []
        writing: asyncio.Task[ArchivedFile] | None = None
        try:
            for each in sums:
                lines = await _lines(driver, table, partition_name(table.name, month), each)
                if writing is not None:
                    files.append(await writing)
                writing = asyncio.create_task(self._write_part(table, folder, each, lines))
            if writing is not None:
                files.append(await writing)
        finally:
            if writing is not None:
                writing.cancel()
                await asyncio.gather(writing, return_exceptions=True)
        return files

    async def _write_part(self, table: ArchivedTable, folder: str, expected: PartSums, lines: bytes) -> ArchivedFile:
        rows, made = await asyncio.to_thread(_made, table, lines, expected)
        number = "" if expected.number is None else f"/{expected.number:04}"
        name = f"{folder}/{table.file_name(expected.part)}{number}.parquet"
        await self._storage.write(name, made.content)
        self._on_step(Step.FILE_WRITTEN)
        back = await self._storage.read(name)
        await asyncio.to_thread(_compare, table, name, back, rows, expected)
        return ArchivedFile(
            expected.part,
            name,
            made.rows,
            len(made.content),
            made.sha256,
            expected.first,
            expected.last,
            expected.sums,
        )

    async def _drop_all(self, connection: Connection) -> tuple[list[int], list[Failure]]:
        """Drop what may be dropped; return the batches that were dropped, and those that were not with the reasons."""
        dropped: list[int] = []
        failed: list[Failure] = []
        manifest = Manifest(connection)
        batches = {batch.id: batch for batch in await manifest.batches() if batch.table in self._tables}
        for batch in [batches[id_] for id_ in await manifest.droppable(self._grace) if id_ in batches]:
            try:
                await self._check_files(manifest, batch)
                if await self._drop(connection, batch):
                    dropped.append(batch.id)
                    self._on_step(Step.DROPPED)
            except (ArchiveUnreadable, NotAsWritten) as error:
                log.error("archived %s of %s: %s", batch.table, f"{batch.month:%Y-%m}", error)  # noqa: TRY400  # said in full
                failed.append(Failure(batch.table, batch.month, str(error)))
                await self._archive_again(connection, batch)
            except Unavailable as error:
                log.warning("%s of %s stay in the database: %s", batch.table, f"{batch.month:%Y-%m}", error)
                failed.append(Failure(batch.table, batch.month, str(error)))
        return dropped, failed

    async def _check_files(self, manifest: Manifest, batch: Batch) -> None:
        """Raise unless all files of the batch are still what was written."""
        for file in await manifest.files(batch.id):
            found = TableFile(await self._storage.read(file.name), file.rows)
            if found.sha256 != file.sha256:
                raise NotAsWritten(f"{file.name} isn't what was written")

    async def _archive_again(self, connection: Connection, batch: Batch) -> None:
        """Have a batch whose files are damaged written again, if its rows are in the database."""
        async with connection.in_transaction():
            expected = await Manifest(connection).lock_sum(batch.id)
            stored = await table_sum(connection, partition_name(batch.table, batch.month))
            if expected is not None and stored.rows >= expected.rows:
                await Manifest(connection).set_state(batch.id, BatchState.SUPERSEDED)

    async def _drop(self, connection: Connection, batch: Batch) -> bool:
        """Drop the rows of a batch unless they have changed since; return whether they were dropped.

        Rows are never deleted, so if there are fewer than were archived, they were lost: a dump of the database, made
        while they were dropped, has none. Then the files count, and what is in the database with them.

        The empty partition stays: late corrections are stored there. Writers wait meanwhile, readers only for the
        emptying itself, and if it doesn't get its lock at once, it is left to the next run.
        """
        partition, manifest = partition_name(batch.table, batch.month), Manifest(connection, batch.table)
        async with connection.in_transaction():
            await connection.execute("SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = 0")
            expected = await manifest.lock_sum(batch.id)
            if expected is None:
                return False
            await connection.execute(f"LOCK TABLE {partition} IN SHARE ROW EXCLUSIVE MODE")
            stored = await table_sum(connection, partition)
            if stored != expected and stored.rows >= expected.rows:
                await manifest.set_state(batch.id, BatchState.SUPERSEDED)
                log.info("%s of %s have changed, and are archived again", batch.table, f"{batch.month:%Y-%m}")
                return False
            if stored == expected:
                await connection.execute(f"TRUNCATE {partition}")
            self._on_step(Step.ROWS_DROPPED)
            await manifest.drop(batch.id, batch.month)
        log.info("%s of %s are in the archive alone", batch.table, f"{batch.month:%Y-%m}")
        return True


async def _months(connection: Connection, table: ArchivedTable, month: datetime | None) -> list[datetime]:
    """Return the months of a table with rows that aren't written yet or, if it is the given one, were restored."""
    batches = await Manifest(connection, table.name).batches()
    kept = {batch.month for batch in batches if batch.state is BatchState.VERIFIED}
    if month is None:
        kept |= {batch.month for batch in batches if batch.state is BatchState.RESTORED}
    found = []
    for row in await connection.fetch(_MONTHS, table.name):
        at = datetime.strptime(row["relname"], f"{table.name}_%Y_%m").replace(tzinfo=UTC)
        is_due = at not in kept and month in {None, at}
        if is_due and await connection.fetchval(f"SELECT EXISTS (SELECT FROM {row['relname']})"):
            found.append(at)
    return found


async def _lines(driver: DriverConnection, table: ArchivedTable, partition: str, sums: PartSums) -> bytes:
    """Return the rows of a file as CSV, as they lie: PostgreSQL takes longer to sort them than they take afterwards."""
    lines, arguments = BytesIO(), [sums.part]
    # Microseconds since 1970, exact up to the year 2242: as text, a time would take longer than all numbers of its row.
    columns = [
        f"(date_part('epoch', {column.name}) * 1000000)::bigint" if column.kind is Kind.TIME else column.name
        for column in table.columns[1:]
    ]
    of_file = f"{table.part.name} = $1::text::{table.part.sql_type}"
    if sums.number is not None:
        of_file += f" AND {table.time} >= $2::text::timestamptz AND {table.time} <= $3::text::timestamptz"
        arguments += [sums.first.isoformat(), sums.last.isoformat()]
    text = f"SELECT {', '.join(columns)} FROM {partition} WHERE {of_file}"
    with translate_driver_errors(driver):
        await driver.copy_from_query(text, *arguments, output=lines, format="csv", timeout=SLOW_STATEMENT_SECONDS)
    return lines.getvalue()


def _made(table: ArchivedTable, lines: bytes, expected: PartSums) -> tuple[pa.Table, TableFile]:
    rows = parse_rows(table, lines, expected.part, expected.scales)
    return rows, table_file(table, rows)


def _compare(table: ArchivedTable, name: str, content: bytes, rows: pa.Table, expected: PartSums) -> None:
    """Compare a file with the rows that were written, and with what the database counted and added up itself."""
    try:
        back = read_table_file(content)
    except pa.ArrowException as error:
        raise NotAsWritten(f"{name} can't be read back: {error}") from None
    if not back.equals(rows):
        raise NotAsWritten(f"{name} has other rows than were written")
    if (back.num_rows, sums_of(table, back)) != (expected.rows, expected.sums):
        raise NotAsWritten(f"{name} has {back.num_rows} rows; the database has {expected.rows}, or other sums")
    if period_of(table, back) != (expected.first, expected.last):
        raise NotAsWritten(f"{name} has other times than the database")
