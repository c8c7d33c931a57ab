"""Gives up archived files that are lost for good, so that queries answer without them, and notifies their users."""

import hashlib
import logging
from collections.abc import Callable
from typing import Final

from domain.model.archive import BatchState, LostFile
from domain.model.events import NewEvent, UserEventKind
from domain.model.users import Activity, ActivityAuthor
from domain.ports.archive import ArchiveStorage, ArchiveUnreadable
from infra.clock import TimeOrderedIds
from infra.postgres.archive.lock import locked_archive
from infra.postgres.archive.tables import USER_EVENTS
from infra.postgres.connection import Connection
from infra.postgres.partitions import ensure_months
from infra.postgres.pool import Pool
from infra.postgres.repositories.event_log import APPEND, event_params
from infra.postgres.repositories.users import PostgresUsers

log = logging.getLogger(__name__)

_FIND: Final = """
SELECT name, source, market, file.rows, sha256, first, last, state
FROM archive_files AS file JOIN archive_batches AS batch ON batch.id = batch_id WHERE name = $1"""
_ADD_LOST: Final = """
INSERT INTO archive_lost_files (name, source, market, rows, sha256, first, last, reason)
SELECT name, source, market, file.rows, sha256, first, last, $2
FROM archive_files AS file JOIN archive_batches AS batch ON batch.id = batch_id WHERE name = $1"""
_ADD_LOST_PARTS: Final = """
INSERT INTO lost_event_parts (name, user_id, first_sequence, last_sequence)
SELECT name, user_id, first_sequence, last_sequence FROM archived_event_parts WHERE name = $1"""
# What is left of a damaged file of users is deleted by the next run: no erasure would reach it any longer.
_DELETE_LATER: Final = """
INSERT INTO archive_deletions (folder) SELECT regexp_replace($1, '/[^/]*$', '')
WHERE EXISTS (SELECT FROM lost_event_parts WHERE name = $1) ON CONFLICT DO NOTHING"""
_REMOVE: Final = """
WITH gone AS (DELETE FROM archive_files WHERE name = $1 RETURNING batch_id, rows)
UPDATE archive_batches SET rows = archive_batches.rows - gone.rows FROM gone WHERE id = batch_id"""
_LOST: Final = (
    "SELECT name, source, market, rows, first, last, reason, given_up_at FROM archive_lost_files ORDER BY name"
)
_OWNERS: Final = """
SELECT user_id, first_sequence, last_sequence FROM lost_event_parts JOIN users ON users.id = user_id
WHERE name = $1 AND erased_at IS NULL ORDER BY user_id"""
_ACTION: Final = "archiveGiveUp"


class NotLost(Exception):
    """A file can't be given up: it isn't one, it is as it was written, or its rows are in the database."""


async def give_up_file(pool: Pool, storage: ArchiveStorage, name: str, confirm: Callable[[LostFile], None]) -> LostFile:
    """Take a file that is absent or damaged from the manifest, for good; `confirm` may raise to leave all as it is.

    Raises `NotLost`, `ArchiveBusy`, and `Unavailable` if the archive isn't reached: then nothing is known to be lost.
    """
    async with locked_archive(pool) as driver:
        connection = Connection(driver)
        row = await connection.fetchrow(_FIND, name)
        if row is None:
            raise NotLost(f"{name} is no file of the archive; r3edge archive verify names those that are wrong")
        if row["state"] not in {BatchState.DROPPED, BatchState.RESTORED}:
            raise NotLost(f"the rows of {name} are in the database still; r3edge archive run writes them again")
        reason = await _damage(storage, name, row["sha256"])
        lost = LostFile(name, row["source"], row["market"], row["rows"], row["first"], row["last"], reason)
        confirm(lost)
        async with connection.in_transaction():
            await connection.execute(_ADD_LOST, name, reason)
            await connection.execute(_ADD_LOST_PARTS, name)
            await connection.execute(_DELETE_LATER, name)
            await connection.execute(_REMOVE, name)
            await _notify_owners(connection, lost)
        log.error("an archived file was given up as lost: %s, %d rows of %s: %s", name, lost.rows, lost.part, reason)
        return lost


async def lost_files(connection: Connection) -> list[LostFile]:
    """Return the files that were given up, by their names."""
    return [LostFile(*row) for row in await connection.fetch(_LOST)]


async def _notify_owners(connection: Connection, lost: LostFile) -> None:
    """Record in the activity of each user who had events in the file which of them are lost, and append the event."""
    owners = await connection.fetch(_OWNERS, lost.name)
    if not owners:
        return
    ids, at = TimeOrderedIds(), await connection.fetchval("SELECT now()")
    period = f"of {lost.first:%Y-%m-%d} to {lost.last:%Y-%m-%d}"
    activities = [
        Activity(
            ids.next_id(), user_id, at, _ACTION, author=ActivityAuthor.COMMAND_LINE,
            detail=f"Events {first} to {last}, {period}, are lost: the archive's file is absent or damaged for good.",
        )
        for user_id, first, last in owners
    ]  # fmt: skip
    for activity in activities:
        await PostgresUsers(connection).add_activity(activity)
    events = [NewEvent(each.user_id, at, UserEventKind.ACTIVITY, each, _ACTION) for each in activities]
    await ensure_months(connection, USER_EVENTS, at, at)
    await connection.execute(APPEND, *event_params(events))


async def _damage(storage: ArchiveStorage, name: str, sha256: str) -> str:
    """Return what is wrong with a file; raises `NotLost` if nothing is."""
    try:
        content = await storage.read(name)
    except ArchiveUnreadable as error:
        return error.message
    if hashlib.sha256(content).hexdigest() == sha256:
        raise NotLost(f"{name} is there, and as it was written")
    return f"{name} isn't what was written"
