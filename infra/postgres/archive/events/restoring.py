"""Checks archived files of events against the manifest, and puts their rows back into the database."""

import asyncio
import hashlib
from collections.abc import Iterable
from typing import Final
from uuid import UUID

import polars as pl

from domain.model.archive import ArchivedFile
from domain.ports.archive import ArchiveStorage, ArchiveUnreadable
from infra.postgres.archive.events.erasure import sum_of_sequences
from infra.postgres.archive.events.event_file import EventRow, event_rows, read_event_file
from infra.postgres.archive.events.parts import SELECT_EVENTS, event_columns
from infra.postgres.connection import Connection

_ROWS_AT_ONCE: Final = 1_000
# An erasure of one of them waits until the rows are there, and deletes them; or this waits for it, and leaves them out.
_USERS: Final = """
SELECT id, erased_at IS NOT NULL AS is_erased FROM users
WHERE id IN (SELECT user_id FROM archived_event_parts WHERE name = $1) ORDER BY id FOR SHARE"""
_INSERT: Final = f"""
INSERT INTO user_events (user_id, sequence, at, kind, order_id, subject_type, payload, message)
{SELECT_EVENTS} WHERE order_id IS NOT NULL OR user_id <> ALL($9::uuid[]) ON CONFLICT DO NOTHING"""


def event_file_error(file: ArchivedFile, content: bytes) -> str | None:
    """Return what is wrong with a file's content; None if it is as the manifest has it."""
    if hashlib.sha256(content).hexdigest() != file.sha256:
        return "its content isn't what was written"
    try:
        rows = read_event_file(content)
    except pl.exceptions.PolarsError as error:
        return f"it can't be read: {error}"
    if (rows.height, (sum_of_sequences(rows),)) != (file.rows, file.sums):
        return "its rows or sums aren't those of the manifest"
    return None


async def restore_event_file(connection: Connection, storage: ArchiveStorage, file: ArchivedFile) -> int:
    """Insert a file's rows in one transaction, but for what was erased; return how many weren't there."""
    content = await storage.read(file.name)
    if (error := await asyncio.to_thread(event_file_error, file, content)) is not None:
        raise ArchiveUnreadable(f"The archive's file {file.name} can't be restored: {error}.")
    rows = await asyncio.to_thread(event_rows, content)
    restored = 0
    async with connection.in_transaction():
        users = await connection.fetch(_USERS, file.name)
        erased: list[UUID] = [row["id"] for row in users if row["is_erased"]]
        for part in _slices(rows):
            tag = await connection.execute(_INSERT, *event_columns(part), erased)
            restored += int(tag.rsplit(" ", 1)[-1])
    return restored


def _slices(rows: list[EventRow]) -> Iterable[list[EventRow]]:
    return (rows[start : start + _ROWS_AT_ONCE] for start in range(0, len(rows), _ROWS_AT_ONCE))
