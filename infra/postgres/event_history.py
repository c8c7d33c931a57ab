"""The users' event logs, hot and archived, as one."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from itertools import pairwise
from uuid import UUID

from domain.model.events import UserEvent, is_next_sequence
from domain.ports.archive import ArchiveUnreadable
from domain.ports.unit_of_work import Reads
from infra.postgres.archive.events.archived_events import ArchivedEvents, user_event
from infra.postgres.archive.events.event_file import EventRow
from infra.postgres.archive.events.parts import EventPart
from infra.postgres.repositories.event_log import PostgresEventLog

_Found = tuple[list[UserEvent], list[EventPart]]


class PostgresEventHistory:
    """Implements `domain.ports.event_log.EventHistory`.

    No row is missed whatever is archived or restored meanwhile: files are read from an hour before their rows are
    dropped to an hour after they came back, and what is in both counts once. A file that isn't there any longer was
    rewritten since it was looked up, because somebody was erased: then both are read again.
    """

    def __init__(self, reads: Reads, archive: ArchivedEvents) -> None:
        self._reads = reads
        self._archive = archive

    @asynccontextmanager
    async def _log(self) -> AsyncIterator[PostgresEventLog]:
        async with self._reads() as reading:
            events = reading.events
            assert isinstance(events, PostgresEventLog), "readings are those of this database"
            yield events

    async def read_after(
        self, user_id: UUID, sequence: int, at: datetime | None, limit: int, *, orders_only: bool = False
    ) -> list[UserEvent]:
        async def read_stored() -> _Found:
            async with self._log() as log:
                stored = await log.read_after(user_id, sequence, at, limit, orders_only=orders_only)
                if orders_only or not _is_contiguous(sequence, stored):
                    return stored, await log.archived_parts(user_id, sequence, at, orders_only=orders_only)
                # Nothing is archived in between; what follows a page that isn't full may be.
                last = stored[-1]
                return stored, [] if len(stored) == limit else await log.archived_parts(user_id, last.sequence, last.at)

        async def read_archived(parts: Sequence[EventPart]) -> list[EventRow]:
            return await self._archive.page(user_id, parts, sequence, limit, orders_only=orders_only)

        return (await _merged(read_stored, read_archived))[:limit]

    async def list_for_orders(self, user_id: UUID, order_ids: Sequence[UUID], since: datetime) -> list[UserEvent]:
        async def read_stored() -> _Found:
            async with self._log() as log:
                stored = await log.list_for_orders(user_id, order_ids, since)
                return stored, await log.archived_order_parts(user_id, order_ids, since)

        async def read_archived(parts: Sequence[EventPart]) -> list[EventRow]:
            return await self._archive.rows_of_orders(user_id, parts, order_ids)

        return await _merged(read_stored, read_archived)


async def _merged(
    read_stored: Callable[[], Awaitable[_Found]],
    read_archived: Callable[[Sequence[EventPart]], Awaitable[list[EventRow]]],
) -> list[UserEvent]:
    """Return the events of both, by their sequence; those that are in both, once."""
    stored, parts = await read_stored()
    if not parts:
        return stored
    try:
        archived = await read_archived(parts)
    except ArchiveUnreadable:
        stored, parts = await read_stored()
        archived = await read_archived(parts)
    events = {row.sequence: user_event(row) for row in archived} | {event.sequence: event for event in stored}
    return [event for _, event in sorted(events.items())]


def _is_contiguous(after: int, events: Sequence[UserEvent]) -> bool:
    """Return whether these are events with nothing between `after` and them, and nothing between them."""
    numbers = [after, *(event.sequence for event in events)]
    return bool(events) and all(is_next_sequence(following, number) for number, following in pairwise(numbers))
