"""Reads archived events of users for queries; what is read is bounded, and decoded in threads."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final, TypeVar
from uuid import UUID

from cachetools import LRUCache

from domain.core.background import drop_error
from domain.model.events import UserEvent, UserEventKind
from domain.ports.archive import ArchiveStorage, ArchiveUnreadable
from infra.postgres.archive.events.event_file import EventRow, order_rows, user_page
from infra.postgres.archive.events.parts import EventPart, EventParts
from infra.postgres.connection import Connection
from infra.postgres.rows.events import decode_subject

NEWEST_SECONDS: Final = 30.0
"""How old the knowledge may be of what is archived; far less than the time for which rows stay after that."""
CACHED_BYTES: Final = 32 * 1024 * 1024
"""How much of the files is kept in memory."""
FILES_AT_ONCE: Final = 2
"""How many files are read and decoded at once, so that those who replay their archive leave threads for others."""

_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

_T = TypeVar("_T")


class ArchivedEvents:
    """The events in files, for queries that read them with the stored ones.

    No connection to the database is held while files are read: a storage that is slow or away doesn't take the
    connections from those who don't need it. Methods that read files raise `Unavailable` if one can't be read.
    """

    def __init__(self, storage: ArchiveStorage | None = None, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._storage = storage
        self._monotonic = monotonic
        self._newest: datetime | None = None
        self._known_until = 0.0
        self._kept: LRUCache[str, bytes] = LRUCache(CACHED_BYTES, getsizeof=len)
        self._reading: dict[str, asyncio.Task[bytes]] = {}
        self._turns = asyncio.Semaphore(FILES_AT_ONCE)

    async def parts(
        self, connection: Connection, user_id: UUID, after: int, since: datetime | None, *, orders_only: bool = False
    ) -> list[EventPart]:
        """Return the files with events of a user after a sequence and from `since` on; usually at no cost."""
        if not await self._may_have(connection, since):
            return []
        return await EventParts(connection).of_user(user_id, after, since, orders_only=orders_only)

    async def order_parts(
        self, connection: Connection, user_id: UUID, order_ids: Sequence[UUID], since: datetime
    ) -> list[EventPart]:
        """Return the files with events of some orders of a user from `since` on."""
        if not order_ids or not await self._may_have(connection, since):
            return []
        return await EventParts(connection).of_orders(user_id, order_ids, since)

    async def page(
        self, user_id: UUID, parts: Sequence[EventPart], after: int, limit: int, *, orders_only: bool = False
    ) -> list[EventRow]:
        """Return at most `limit` events of a user that follow `after`, oldest first; of an erased one, of orders."""
        found: list[EventRow] = []
        for part in parts:  # in the order of their first events
            if len(found) >= limit and found[limit - 1].sequence < part.first_sequence:
                break
            rows = await self._read(part, user_page, user_id, after, limit, orders_only=orders_only or part.is_erased)
            found = _in_order([*found, *rows])[:limit]
        return found

    async def rows_of_orders(
        self, user_id: UUID, parts: Sequence[EventPart], order_ids: Sequence[UUID]
    ) -> list[EventRow]:
        """Return all events of some orders, oldest first."""
        return _in_order([row for part in parts for row in await self._read(part, order_rows, user_id, order_ids)])

    async def _may_have(self, connection: Connection, since: datetime | None) -> bool:
        """Return whether there may be an archived event that isn't older than `since`."""
        if (read_at := self._monotonic()) >= self._known_until:
            self._newest = await EventParts(connection).newest()
            self._known_until = read_at + NEWEST_SECONDS
        return self._newest is not None and (since is None or since <= self._newest)

    async def _read(
        self, part: EventPart, read: Callable[..., list[_T]], /, *arguments: object, **options: object
    ) -> list[_T]:
        async with self._turns:
            content = await self._content(part)
            return await asyncio.to_thread(partial(read, content, *arguments, **options))

    async def _content(self, part: EventPart) -> bytes:
        """Return a file's content; those who ask for the same file at once wait for one reading of it."""
        if (kept := self._kept.get(part.name)) is not None:
            return kept
        if self._storage is None:
            raise ArchiveUnreadable(f"Events are archived: R3EDGE_ARCHIVE must name the folder that has {part.name}.")
        reading = self._reading.get(part.name)
        if reading is None:
            reading = self._reading[part.name] = asyncio.create_task(self._fetch(self._storage, part))
            reading.add_done_callback(lambda task: self._end_reading(part.name, task))
        return await asyncio.shield(reading)

    def _end_reading(self, name: str, task: asyncio.Task[bytes]) -> None:
        del self._reading[name]
        drop_error(task)

    async def _fetch(self, storage: ArchiveStorage, part: EventPart) -> bytes:
        content = await storage.read(part.name)
        if await asyncio.to_thread(_sha256, content) != part.sha256:
            raise ArchiveUnreadable(f"The archive's file {part.name} isn't what was written: it is damaged.")
        if len(content) <= CACHED_BYTES:
            self._kept[part.name] = content
        return content


def user_event(row: EventRow) -> UserEvent:
    """Return the event of a row."""
    return UserEvent(
        UUID(row.user_id),
        row.sequence,
        _EPOCH + row.at * _MICROSECOND,
        UserEventKind(row.kind),
        decode_subject(row.subject_type, None if row.payload is None else row.payload.encode()),
        row.message,
    )


def _in_order(rows: Sequence[EventRow]) -> list[EventRow]:
    """Return the rows by their sequence; of those that are in several files, one."""
    return [row for _, row in sorted({row.sequence: row for row in rows}.items())]


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
