"""Subscriptions to users' event logs: events since a cursor, then new ones, without gap or repeat, on any node."""

from collections import deque
from datetime import datetime
from typing import Self
from uuid import UUID

from domain.core.clock import Clock
from domain.core.errors import FaultCode, RequestFault, Unavailable
from domain.core.wakeup import Wakeup
from domain.events.follower_counts import FollowerCounts
from domain.events.log_watch import LogWatch
from domain.model.events import (
    EventCursor,
    UserEvent,
    decode_event_cursor,
    encode_event_cursor,
    events_topic,
    is_next_sequence,
)
from domain.ports.bus import BusSubscription, MessageBus
from domain.ports.unit_of_work import Database

PAGE = 200
POLL_SECONDS = 1.0
PATIENCE_SECONDS = 30.0
"""For how long a subscription waits for an unreachable database; its subscriber can resume later."""


class EventLogReader:
    """Opens subscriptions to users' event logs."""

    def __init__(self, database: Database, bus: MessageBus, clock: Clock, poll_seconds: float = POLL_SECONDS) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._poll_seconds = poll_seconds
        self._watch = LogWatch(database, poll_seconds)
        self.followers = FollowerCounts()

    async def head(self, user_id: UUID) -> EventCursor:
        """Return the cursor after the newest event of the user's log."""
        async with self._database.read_only() as reading:
            sequence, at = await reading.events.head(user_id)
        return EventCursor(user_id, sequence, at or self._clock.now())

    async def start(self, user_id: UUID, after: str | None) -> EventCursor:
        """Return where a subscription starts: at a cursor of this user, or at the head.

        Raises `RequestFault` INVALID if the cursor is malformed, another user's, or ahead of the log, and
        CURSOR_TOO_OLD if events since then are gone.
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
        """Subscribe to all events after `start`."""
        return EventSubscription(
            self._database,
            self._bus,
            self._clock,
            start,
            self._watch,
            self._poll_seconds,
            orders_only=orders_only,
            counts=self.followers,
        )

    async def _check_age(self, cursor: EventCursor, head: EventCursor) -> None:
        if cursor.sequence == head.sequence:
            return
        at = cursor.at if cursor.sequence else None
        following = await self._database.event_history().read_after(cursor.user_id, cursor.sequence, at, 1)
        if not following or following[0].sequence != cursor.sequence + 1:
            raise _cursor_too_old(head)


class EventSubscription:
    """An async iterator of one user's events after a cursor, without gap or repeat whatever the bus loses.

    The bus only says that the log has grown; whether it has is also looked at by `watch`.
    """

    def __init__(
        self,
        database: Database,
        bus: MessageBus,
        clock: Clock,
        start: EventCursor,
        watch: LogWatch,
        retry_seconds: float,
        *,
        orders_only: bool,
        counts: FollowerCounts,
    ) -> None:
        self._counts = counts
        self._database = database
        self._bus = bus
        self._clock = clock
        self._watch = watch
        self._retry_seconds = retry_seconds
        self._orders_only = orders_only
        self._user_id = start.user_id
        self._sequence = start.sequence
        self._at: datetime | None = start.at if start.sequence else None
        self._pending: deque[UserEvent] = deque()
        self._wakeup = Wakeup()
        self._subscription: BusSubscription | None = None
        self._cursor: str | None = None
        self._is_up_to_date = False

    @property
    def cursor(self) -> str | None:
        """The cursor after the last event that was returned; None before the first."""
        return self._cursor

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> UserEvent:
        """Return the next event; waits for it without limit.

        Raises `Unavailable` if the database stays unreachable, and CURSOR_TOO_OLD if events that weren't read yet are
        gone.
        """
        if self._subscription is None:
            self._subscription = await self._bus.subscribe(
                events_topic(self._user_id), lambda _message: self._wakeup.set(), self._wakeup.set
            )
            self._watch.follow(self._user_id, self._wakeup.set)
            self._counts.open += 1
        while not self._pending:
            await self._read_with_retry()
            if not self._pending:
                await self._wakeup.wait()
        event = self._pending.popleft()
        self._cursor = encode_event_cursor(EventCursor(event.user_id, event.sequence, event.at))
        return event

    async def aclose(self) -> None:
        """Stop listening."""
        if self._subscription is not None:
            subscription, self._subscription = self._subscription, None
            self._counts.open -= 1
            await self._watch.unfollow(self._user_id, self._wakeup.set)
            await subscription.close()

    async def _read_with_retry(self) -> None:
        """Read; the database may be unreachable for a while, as during a fail-over."""
        deadline = self._clock.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return await self._read()
            except Unavailable:
                if self._clock.monotonic() >= deadline:
                    raise
            await self._wakeup.wait(self._retry_seconds)

    async def _read(self) -> None:
        self._wakeup.clear()
        events = await self._database.event_history().read_after(
            self._user_id, self._sequence, self._at, PAGE, orders_only=self._orders_only
        )
        was_up_to_date, self._is_up_to_date = self._is_up_to_date, len(events) < PAGE
        if not events:
            return
        if was_up_to_date:
            self._counts.observe(events, self._clock.now())
        if not self._orders_only and not is_next_sequence(events[0].sequence, self._sequence):
            raise _cursor_too_old(EventCursor(self._user_id, events[-1].sequence, events[-1].at))
        self._sequence, self._at = events[-1].sequence, events[-1].at
        self._pending.extend(events)


def _cursor_too_old(head: EventCursor) -> RequestFault:
    return RequestFault(
        FaultCode.CURSOR_TOO_OLD,
        "Events since this cursor are gone, perhaps undone by a restore of the database: read the state again, then "
        "subscribe without `after`.",
        {"cursor": encode_event_cursor(head)},
    )
