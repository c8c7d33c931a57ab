"""A user's event log as a stream: what was missed, then what happens, without gap or repeat, on any node."""

import asyncio
from collections import deque
from datetime import datetime
from typing import Self
from uuid import UUID

from domain.core.clock import Clock
from domain.core.errors import FaultCode, RequestFault, Unavailable
from domain.model.event_cursors import decode_event_cursor, encode_event_cursor
from domain.model.events import EventCursor, UserEvent, events_topic
from domain.ports.bus import BusSubscription, MessageBus
from domain.ports.unit_of_work import Database

PAGE = 200
POLL_SECONDS = 1.0
PATIENCE_SECONDS = 30.0
"""For how long a stream waits for a database that is away; its reader can resume later."""


class EventLogReader:
    """Opens streams of users' event logs."""

    def __init__(self, database: Database, bus: MessageBus, clock: Clock, poll_seconds: float = POLL_SECONDS) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._poll_seconds = poll_seconds

    async def head(self, user_id: UUID) -> EventCursor:
        """Return the place after the newest event of the user's log."""
        async with self._database.read_only() as reading:
            sequence, at = await reading.events.head(user_id)
        return EventCursor(user_id, sequence, at or self._clock.now())

    async def start(self, user_id: UUID, after: str | None) -> EventCursor:
        """Return where a stream begins: at a cursor of this user, or at the head.

        Raises `RequestFault` INVALID for a cursor that isn't one, or is another user's, or is ahead of the log, and
        CURSOR_TOO_OLD where events since then have been archived.
        """
        head = await self.head(user_id)
        if after is None:
            return head
        cursor = decode_event_cursor(after, user_id)
        if cursor.sequence > head.sequence:
            raise RequestFault(FaultCode.INVALID, "The cursor is ahead of the event log; it isn't one of this server.")
        await self._check_age(cursor, head)
        return cursor

    def follow(self, start: EventCursor, *, orders_only: bool) -> "EventSubscription":
        """Return the events after `start`, then all that follow, for ever."""
        return EventSubscription(
            self._database, self._bus, self._clock, start, self._poll_seconds, orders_only=orders_only
        )

    async def _check_age(self, cursor: EventCursor, head: EventCursor) -> None:
        if cursor.sequence == head.sequence:
            return
        at = cursor.at if cursor.sequence else None
        async with self._database.read_only() as reading:
            following = await reading.events.read_after(cursor.user_id, cursor.sequence, at, 1)
        if not following or following[0].sequence != cursor.sequence + 1:
            raise _too_old(head)


class EventSubscription:
    """An async iterator of one user's events after a place, without gap or repeat whatever the bus loses.

    The bus only says that there is news; without it the log is read every second all the same.
    """

    def __init__(
        self,
        database: Database,
        bus: MessageBus,
        clock: Clock,
        start: EventCursor,
        poll_seconds: float,
        *,
        orders_only: bool,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._orders_only = orders_only
        self._user_id = start.user_id
        self._sequence = start.sequence
        self._at: datetime | None = start.at if start.sequence else None
        self._waiting: deque[UserEvent] = deque()
        self._news = asyncio.Event()
        self._subscription: BusSubscription | None = None
        self._cursor: str | None = None

    @property
    def cursor(self) -> str | None:
        """The place after the last event that was asked past."""
        return self._cursor

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> UserEvent:
        """Return the next event; waits for it as long as it takes.

        Raises `Unavailable` where the database stays away, and CURSOR_TOO_OLD where events that were not read yet have
        been archived.
        """
        if self._subscription is None:
            self._subscription = await self._bus.subscribe(
                events_topic(self._user_id), lambda _message: self._news.set(), self._news.set
            )
        while not self._waiting:
            await self._read_patiently()
            if not self._waiting:
                await self._wait()
        event = self._waiting.popleft()
        self._cursor = encode_event_cursor(EventCursor(event.user_id, event.sequence, event.at))
        return event

    async def aclose(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            await self._subscription.close()
            self._subscription = None

    async def _read_patiently(self) -> None:
        """Read; a database that is away for a moment, as at a fail-over, is no news."""
        deadline = self._clock.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return await self._read()
            except Unavailable:
                if self._clock.monotonic() >= deadline:
                    raise
            await self._wait()

    async def _read(self) -> None:
        self._news.clear()
        async with self._database.read_only() as reading:
            events = await reading.events.read_after(
                self._user_id, self._sequence, self._at, PAGE, orders_only=self._orders_only
            )
        if not events:
            return
        if not self._orders_only and events[0].sequence != self._sequence + 1:
            raise _too_old(EventCursor(self._user_id, events[-1].sequence, events[-1].at))
        self._sequence, self._at = events[-1].sequence, events[-1].at
        self._waiting.extend(events)

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(self._poll_seconds):
                await self._news.wait()
        except TimeoutError:
            return


def _too_old(head: EventCursor) -> RequestFault:
    return RequestFault(
        FaultCode.CURSOR_TOO_OLD,
        "Events since this cursor have been archived: read the state anew, then subscribe without `after`.",
        {"cursor": encode_event_cursor(head)},
    )
