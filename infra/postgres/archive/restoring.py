"""Checks archived files against the manifest, and puts their rows back into the database."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from io import BytesIO

import pyarrow as pa

from domain.model.archive import ArchivedFile, Batch, BatchState
from domain.ports.archive import ArchiveStorage, ArchiveUnreadable
from infra.postgres.archive.events.restoring import event_file_error, restore_event_file
from infra.postgres.archive.lock import locked_archive
from infra.postgres.archive.manifest import READABLE, Manifest
from infra.postgres.archive.table_file import csv_of, read_table_file, sums_of
from infra.postgres.archive.tables import ARCHIVED_TABLES, TABLE_NAMES, USER_EVENTS, ArchivedTable
from infra.postgres.connection import Connection, DriverConnection, translate_driver_errors
from infra.postgres.partitions import ensure_months
from infra.postgres.pool import Pool
from infra.postgres.transaction_connection import acquire, release

_ACQUIRE_SECONDS = 10.0


class NotArchived(Exception):
    """No rows of a month are archived."""

    def __init__(self, month: datetime, table: str | None) -> None:
        of_table = "" if table is None else f" of {table}"
        super().__init__(f"{month:%Y-%m}{of_table} isn't archived; r3edge archive status lists what is")


@dataclass(frozen=True, slots=True)
class FileCheck:
    """A file, and what is wrong with it; None if it is as the manifest has it."""

    file: ArchivedFile
    error: str | None


async def verify_files(pool: Pool, storage: ArchiveStorage) -> AsyncIterator[FileCheck]:
    """Read all files that queries read, and compare them with the manifest: hash, rows and sums."""
    for table in TABLE_NAMES:
        driver = await acquire(pool, _ACQUIRE_SECONDS)
        try:
            files = await Manifest(Connection(driver), table).readable_files()
        finally:
            await release(pool, driver)
        for file in files:
            try:
                content = await storage.read(file.name)
            except ArchiveUnreadable as error:
                yield FileCheck(file, error.message)
            else:
                yield FileCheck(file, await asyncio.to_thread(_check_of(table), file, content))


async def restore_month(pool: Pool, storage: ArchiveStorage, month: datetime, table: str | None = None) -> int:
    """Put the archived rows of a month back into the database, beside later corrections; return how many came back.

    Without a table, those of all. The files stay, and are still read until the month is archived again by hand. It can
    be interrupted and begun again. Raises `NotArchived`, `ArchiveBusy` and `ArchiveUnreadable`.
    """
    async with locked_archive(pool) as driver:
        connection = Connection(driver)
        restored, batches = 0, await archived_batches(connection, month, table)
        if not batches:
            raise NotArchived(month, table)
        for batch in reversed(batches):  # what is there already stays, so the latest batch comes first
            await ensure_months(connection, batch.table, month, month)
            for file in await Manifest(connection).files(batch.id):
                if batch.table == USER_EVENTS:
                    restored += await restore_event_file(connection, storage, file)
                else:
                    restored += await _restore_file(driver, storage, ARCHIVED_TABLES[batch.table], file)
        async with connection.in_transaction():
            for batch in batches:
                await Manifest(connection).set_state(batch.id, BatchState.RESTORED)
        return restored


async def archived_batches(connection: Connection, month: datetime, table: str | None = None) -> list[Batch]:
    """Return the batches of a month whose files queries read, in the order in which they were written."""
    batches = await Manifest(connection, table).batches()
    return [batch for batch in batches if batch.month == month and batch.state in READABLE]


def _check_of(table: str) -> Callable[[ArchivedFile, bytes], str | None]:
    return event_file_error if table == USER_EVENTS else partial(_error_of, ARCHIVED_TABLES[table])


def _error_of(table: ArchivedTable, file: ArchivedFile, content: bytes) -> str | None:
    if hashlib.sha256(content).hexdigest() != file.sha256:
        return "its content isn't what was written"
    try:
        rows = read_table_file(content)
    except pa.ArrowException as error:
        return f"it can't be read: {error}"
    if (rows.num_rows, sums_of(table, rows)) != (file.rows, file.sums):
        return "its rows or sums aren't those of the manifest"
    return None


async def _restore_file(
    driver: DriverConnection, storage: ArchiveStorage, table: ArchivedTable, file: ArchivedFile
) -> int:
    """Insert a file's rows in one transaction; return how many weren't there."""
    content = await storage.read(file.name)
    if (error := await asyncio.to_thread(_error_of, table, file, content)) is not None:
        raise ArchiveUnreadable(f"The archive's file {file.name} can't be restored: {error}.")
    lines = await asyncio.to_thread(lambda: csv_of(read_table_file(content)))
    connection, columns = Connection(driver), ", ".join(table.names)
    async with connection.in_transaction():
        await connection.execute(f"CREATE TEMPORARY TABLE restored (LIKE {table.name}) ON COMMIT DROP")
        with translate_driver_errors(driver):
            await driver.copy_to_table("restored", source=BytesIO(lines), columns=table.names, format="csv")
        tag = await connection.execute(
            f"INSERT INTO {table.name} ({columns}) SELECT {columns} FROM restored ON CONFLICT DO NOTHING"
        )
    return int(tag.rsplit(" ", 1)[-1])
