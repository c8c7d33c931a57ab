"""Moves users' events of old months into files, as `infra.postgres.archive.archiver` does with other tables.

What is other: a file has the rows of several users, so that it can be replaced when one of them is erased; rows that
an erasure deleted in the meantime are no change; and no month is archived of which an event is missing.
"""

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

import polars as pl

from domain.core.errors import Unavailable
from domain.model.archive import ArchivedFile, Batch, BatchState
from domain.ports.archive import ArchiveStorage, ArchiveUnreadable
from infra.postgres.archive.archiver import GRACE, Failure, NotAsWritten, RunResult, Step
from infra.postgres.archive.events.archived_events import ArchivedEvents
from infra.postgres.archive.events.erasure import ArchiveErasure, ErasureStep, pending_erasures, sum_of_sequences
from infra.postgres.archive.events.event_file import (
    COLUMNS,
    DIGEST,
    ROWS_A_FILE,
    digest,
    event_file,
    event_frame,
    read_event_file,
)
from infra.postgres.archive.events.gaps import EventsMissing, require_no_gaps
from infra.postgres.archive.events.parts import PARTS, EventParts, UserSums
from infra.postgres.archive.lock import locked_archive
from infra.postgres.archive.manifest import Manifest
from infra.postgres.archive.table_sums import table_sum
from infra.postgres.archive.tables import USER_EVENTS
from infra.postgres.connection import Connection
from infra.postgres.partitions import partition_name
from infra.postgres.pool import Pool

log = logging.getLogger(__name__)

# The next rows of a month; each statement of a snapshot sees the same ones.
_STORED: Final = """
WITH stored AS (
    SELECT * FROM {} WHERE (user_id, sequence) > ($1, $2) ORDER BY user_id, sequence LIMIT $3
) """
_ROWS: Final = f"{_STORED} SELECT {COLUMNS} FROM stored ORDER BY stored.user_id, sequence"
_PARTS: Final = f"{_STORED} {PARTS}"
_SUMS: Final = f"""
{_STORED} SELECT {DIGEST} AS digest, min(at) AS first, max(at) AS last, sum(sequence) AS sequences FROM stored"""
_MONTHS: Final = """
SELECT relname FROM pg_class JOIN pg_inherits ON inhrelid = oid
WHERE inhparent = 'user_events'::regclass ORDER BY relname"""
_BEGINNING: Final = (UUID(int=0), -1)


@dataclass(frozen=True, slots=True)
class _Written:
    file: ArchivedFile
    sums: list[UserSums]


class EventArchiver:
    """Archives users' events of whole months, and erases users from the archive."""

    def __init__(
        self,
        pool: Pool,
        storage: ArchiveStorage,
        *,
        grace: timedelta = GRACE,
        on_step: Callable[[Step | ErasureStep], None] = lambda _step: None,
        rows_a_file: int = ROWS_A_FILE,
    ) -> None:
        self._pool = pool
        self._storage = storage
        self._grace = grace
        self._on_step = on_step
        self._rows_a_file = rows_a_file

    async def run(self, before: datetime | None, month: datetime | None = None) -> RunResult:
        """Erase users, write the months that end by `before`, and drop the rows whose files were listed long enough.

        Without `before` nothing is written. With a `month` that one alone is written, restored before or not. What
        fails is left as it is for the next run. Raises `ArchiveBusy`, and `Unavailable`, also if what was archived
        before can't be read.
        """
        async with locked_archive(self._pool) as driver:
            connection = Connection(driver)
            pending = await pending_erasures(connection)
            try:
                return await self._run(connection, before, month)
            except Unavailable as error:
                if pending:
                    log.warning("events of %d erased users stay in the archive for now: %s", pending, error.message)
                raise

    async def _run(self, connection: Connection, before: datetime | None, month: datetime | None) -> RunResult:
        await self._check_storage(connection)
        await self._clean_up(connection)
        not_erased = await ArchiveErasure(connection, self._storage, self._on_step).run()
        failed = [Failure(USER_EVENTS, each.month, each.error) for each in not_erased]
        written: list[int] = []
        for at in await _due(connection, before, month):
            try:
                written.append(await self._write(connection, at))
            except (NotAsWritten, EventsMissing, ArchiveUnreadable) as error:
                log.error("events of %s could not be archived: %s", f"{at:%Y-%m}", error)  # noqa: TRY400  # said in full
                failed.append(Failure(USER_EVENTS, at, str(error)))
        dropped, not_dropped = await self._drop_all(connection)
        batches = {batch.id: batch for batch in await Manifest(connection, USER_EVENTS).batches()}
        return RunResult(
            tuple(batches[id_] for id_ in written),
            tuple(batches[id_] for id_ in dropped),
            (*failed, *not_dropped),
        )

    async def _check_storage(self, connection: Connection) -> None:
        """Raise unless a file of the last month whose rows were dropped is there: it may be another folder."""
        name = await Manifest(connection, USER_EVENTS).last_dropped_file()
        if name is not None:
            await self._storage.read(name)

    async def _clean_up(self, connection: Connection) -> None:
        """Delete files that nobody reads: first the files, then what names them."""
        manifest = Manifest(connection, USER_EVENTS)
        for batch_id, folder in await manifest.abandoned(self._grace):
            await self._storage.delete_folder(folder)
            self._on_step(Step.CLEANED)
            await manifest.delete(batch_id)

    async def _write(self, connection: Connection, month: datetime) -> int:
        """Write a month's rows to files, read them back, and list them; return the batch."""
        manifest = Manifest(connection, USER_EVENTS)
        batch_id, folder = await manifest.begin(month)
        self._on_step(Step.BEGUN)
        await connection.execute(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL idle_in_transaction_session_timeout = 0;"
            "SET LOCAL statement_timeout = 0"
        )
        try:
            await require_no_gaps(connection, ArchivedEvents(self._storage), partition_name(USER_EVENTS, month))
            written = await self._write_files(connection, partition_name(USER_EVENTS, month), folder)
        finally:
            await connection.execute("ROLLBACK")
        self._on_step(Step.FILES_VERIFIED)
        async with connection.in_transaction():
            fingerprint = sum((sums.hash for each in written for sums in each.sums), Decimal())
            await manifest.verify(batch_id, [each.file for each in written], fingerprint)
            for each in written:
                await EventParts(connection).add(each.file.name, each.sums)
        self._on_step(Step.LISTED)
        log.info("events of %s were archived: %d files", f"{month:%Y-%m}", len(written))
        return batch_id

    async def _write_files(self, connection: Connection, partition: str, folder: str) -> list[_Written]:
        written: list[_Written] = []
        place = _BEGINNING
        while rows := await connection.fetch(_ROWS.format(partition), *place, self._rows_a_file):
            frame = await asyncio.to_thread(event_frame, rows)
            name = f"{folder}/{len(written):06}/events.parquet"
            file = await self._write_file(connection, _SUMS.format(partition), place, frame, name)
            parts = await connection.fetch(_PARTS.format(partition), *place, self._rows_a_file)
            sums = [UserSums(*part) for part in parts]
            if sum(each.rows for each in sums) != file.rows:
                raise NotAsWritten(f"{name} has {file.rows} rows, and the database has others")
            written.append(_Written(file, sums))
            place = UUID(rows[-1]["user_id"]), rows[-1]["sequence"]
        return written

    async def _write_file(
        self, connection: Connection, sums_query: str, place: tuple[UUID, int], rows: pl.DataFrame, name: str
    ) -> ArchivedFile:
        """Write rows, read them back, and compare them with what PostgreSQL has after `place`."""
        content = await asyncio.to_thread(event_file, rows)
        await self._storage.write(name, content)
        self._on_step(Step.FILE_WRITTEN)
        back = await self._storage.read(name)
        found = await asyncio.to_thread(_rows_of, name, back)
        expected = await connection.fetchrow(sums_query, *place, self._rows_a_file)
        assert expected is not None  # an aggregate has one
        if not found.equals(rows) or await asyncio.to_thread(digest, found) != expected["digest"]:
            raise NotAsWritten(f"{name} has other rows than the database")
        if sum_of_sequences(found) != expected["sequences"]:
            raise NotAsWritten(f"{name} has other events than the database")
        return ArchivedFile(
            str(rows["user_id"][0]),
            name,
            rows.height,
            len(content),
            hashlib.sha256(content).hexdigest(),
            expected["first"],
            expected["last"],
            (expected["sequences"],),
        )

    async def _drop_all(self, connection: Connection) -> tuple[list[int], list[Failure]]:
        """Drop what may be dropped; return the batches that were dropped, and those that were not with the reasons."""
        dropped: list[int] = []
        failed: list[Failure] = []
        manifest = Manifest(connection, USER_EVENTS)
        batches = {batch.id: batch for batch in await manifest.batches()}
        for batch in [batches[id_] for id_ in await manifest.droppable(self._grace)]:
            try:
                await self._check_files(manifest, batch)
                if await self._drop(connection, batch):
                    dropped.append(batch.id)
                    self._on_step(Step.DROPPED)
            except ArchiveUnreadable as error:
                log.error("archived events of %s: %s", f"{batch.month:%Y-%m}", error.message)  # noqa: TRY400  # said in full
                failed.append(Failure(USER_EVENTS, batch.month, error.message))
                await self._archive_again(connection, batch)
            except Unavailable as error:
                log.warning("events of %s stay in the database: %s", f"{batch.month:%Y-%m}", error.message)
                failed.append(Failure(USER_EVENTS, batch.month, error.message))
        return dropped, failed

    async def _check_files(self, manifest: Manifest, batch: Batch) -> None:
        """Raise unless all files of the batch are still what was written."""
        for file in await manifest.files(batch.id):
            if hashlib.sha256(await self._storage.read(file.name)).hexdigest() != file.sha256:
                raise ArchiveUnreadable(f"The archive's file {file.name} isn't what was written.")

    async def _archive_again(self, connection: Connection, batch: Batch) -> None:
        """Have a batch whose files are damaged written again, if its rows are in the database."""
        async with connection.in_transaction():
            stored = await table_sum(connection, partition_name(USER_EVENTS, batch.month))
            expected = await EventParts(connection).expected(batch.id)
            if stored.rows >= expected.rows:
                await Manifest(connection, USER_EVENTS).set_state(batch.id, BatchState.SUPERSEDED)

    async def _drop(self, connection: Connection, batch: Batch) -> bool:
        """Drop the rows of a batch unless they have changed since; return whether they were dropped.

        Nothing but an erasure deletes rows. If there are fewer than are expected after those, they were lost: a dump of
        the database, made while they were dropped, has none. Then the files count, and what is in the database with
        them. An erasure waits meanwhile, and no reader but for the emptying itself.
        """
        partition, manifest = partition_name(USER_EVENTS, batch.month), Manifest(connection, USER_EVENTS)
        async with connection.in_transaction():
            await connection.execute("SET LOCAL lock_timeout = '1s'; SET LOCAL statement_timeout = 0")
            if await manifest.lock_sum(batch.id) is None:
                return False
            await connection.execute(f"LOCK TABLE {partition} IN SHARE ROW EXCLUSIVE MODE")
            stored = await table_sum(connection, partition)
            expected = await EventParts(connection).expected(batch.id)
            if stored != expected and stored.rows >= expected.rows:
                await manifest.set_state(batch.id, BatchState.SUPERSEDED)
                log.info("events of %s have changed, and are archived again", f"{batch.month:%Y-%m}")
                return False
            if stored == expected:
                await connection.execute(f"TRUNCATE {partition}")
            self._on_step(Step.ROWS_DROPPED)
            await manifest.drop(batch.id, batch.month)
        log.info("events of %s are in the archive alone", f"{batch.month:%Y-%m}")
        return True


async def _due(connection: Connection, before: datetime | None, month: datetime | None) -> list[datetime]:
    """Return the months with rows that are to be written: all that ended by `before`, but for those restored."""
    if before is None:
        return []
    batches = await Manifest(connection, USER_EVENTS).batches()
    kept = {batch.month for batch in batches if batch.state is BatchState.VERIFIED}
    if month is None:
        kept |= {batch.month for batch in batches if batch.state is BatchState.RESTORED}
    due = []
    for row in await connection.fetch(_MONTHS):
        at = datetime.strptime(row["relname"], "user_events_%Y_%m").replace(tzinfo=UTC)
        is_due = at not in kept and at < before and month in {None, at}
        if is_due and await connection.fetchval(f"SELECT EXISTS (SELECT FROM {row['relname']})"):
            due.append(at)
    return due


def _rows_of(name: str, content: bytes) -> pl.DataFrame:
    try:
        return read_event_file(content)
    except pl.exceptions.PolarsError as error:
        raise NotAsWritten(f"{name} can't be read back: {error}") from None
