"""Rooms: one execution and one encoding of a shared subscription's event for all who asked for the same."""

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from dataclasses import dataclass
from typing import Protocol

from graphql import GraphQLError

from domain.core.errors import FaultCode, RequestFault
from infra.web.documents.documents import RequestErrors
from infra.web.metrics import WebMetrics
from resolvers.streams import SharedSource


@dataclass(frozen=True, slots=True)
class RoomKey:
    """What makes two subscriptions the same; `variables` are coerced and written canonically."""

    document: str
    operation_name: str | None
    variables: str
    scope: str = "public"


class Kitchen(Protocol):
    """Opens the source of one room and turns its events into payloads; it has the room's own context."""

    async def open(self) -> SharedSource[object]:
        """Return the source; raise RequestErrors where the resolver refuses."""
        ...

    async def render(self, event: object) -> str:
        """Return the payload of an event as JSON text."""
        ...

    def failure(self, error: Exception) -> RequestErrors:
        """Return what members are told of an error of the source."""
        ...


class Rooms:
    """All rooms of this process."""

    def __init__(self, mailbox_events: int, max_rooms: int, metrics: WebMetrics) -> None:
        self._rooms: dict[RoomKey, Room] = {}
        self._mailbox_events = mailbox_events
        self._max_rooms = max_rooms
        self._metrics = metrics
        self._opened_by: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._rooms)

    def join(
        self, key: RoomKey, make_kitchen: Callable[[], Awaitable[Kitchen]], client: str = "", most: int | None = None
    ) -> "Member":
        """Return a new member of the room with this key, which is opened where there is none.

        `client` may have opened at most `most` rooms that are still there; RATE_LIMITED where it has more.
        """
        room = self._rooms.get(key) or self._open(key, make_kitchen, client, most)
        return room.admit(self._mailbox_events)

    def forget(self, room: "Room") -> None:
        """Take a room out of the list, so that the next joiner opens a new one."""
        if self._rooms.get(room.key) is room:
            del self._rooms[room.key]
            self._opened_by[room.client] -= 1
            if not self._opened_by[room.client]:
                del self._opened_by[room.client]
            self._metrics.rooms.dec()

    async def aclose(self) -> None:
        """Close all rooms and wait until their sources are closed."""
        rooms = list(self._rooms.values())
        for room in rooms:
            room.close()
        await asyncio.gather(*(room.wait_closed() for room in rooms))

    def _open(
        self, key: RoomKey, make_kitchen: Callable[[], Awaitable[Kitchen]], client: str, most: int | None
    ) -> "Room":
        if most is not None and self._opened_by[client] >= most:
            message = f"You already follow {most:,} different live queries; give one up, or use a document twice."
            raise RequestFault(FaultCode.RATE_LIMITED, message)
        if len(self._rooms) >= self._max_rooms:
            raise RequestFault(
                FaultCode.UNAVAILABLE, f"This node already serves {self._max_rooms:,} different live queries."
            )
        # Listed before anything is awaited: two who ask at the same moment meet in the same room.
        room = self._rooms[key] = Room(key, self, make_kitchen, self._metrics, client)
        self._opened_by[client] += 1
        self._metrics.rooms.inc()
        return room


class Room:
    """One execution of a shared subscription; it lives from its first member to its last."""

    def __init__(
        self,
        key: RoomKey,
        rooms: Rooms,
        make_kitchen: Callable[[], Awaitable[Kitchen]],
        metrics: WebMetrics,
        client: str,
    ) -> None:
        self.key = key
        self.client = client
        self.source: SharedSource[object] | None = None
        self._rooms = rooms
        self._make_kitchen = make_kitchen
        self._kitchen: Kitchen | None = None
        self._metrics = metrics
        self._members: dict[Member, None] = {}
        self._rendered: dict[int, tuple[object, str]] = {}
        # Its lines are nobody's: without a context of its own they would tell the request of whoever came first.
        self._task = asyncio.create_task(self._run(), name="room", context=Context())

    @property
    def width(self) -> int:
        """How many events it takes to tell the present state."""
        return self.source.width if self.source is not None else 1

    def admit(self, mailbox_events: int) -> "Member":
        """Return a new member; where the source is open, it begins with a snapshot."""
        member = Member(self, mailbox_events, self._metrics)
        self._members[member] = None
        self._metrics.members.inc()
        if self.source is not None:
            member.resynchronise()
        return member

    def dismiss(self, member: "Member") -> None:
        """Let a member go; the last one closes the room."""
        if self._members.pop(member, self) is self:
            return
        self._metrics.members.dec()
        if not self._members:
            self.close()

    def close(self) -> None:
        """Stop the execution; nobody can join any more."""
        self._rooms.forget(self)
        self._task.cancel()

    async def wait_closed(self) -> None:
        """Wait until the source is closed."""
        await asyncio.wait([self._task])

    async def render(self, event: object) -> str:
        """Return the payload of an event; the newest are remembered, since many ask for the same snapshots."""
        known = self._rendered.get(id(event))
        if known is not None:  # it holds its event, so that no other can have that id
            return known[1]
        assert self._kitchen is not None
        payload = await self._kitchen.render(event)
        self._metrics.executions.inc()
        self._rendered[id(event)] = (event, payload)
        while len(self._rendered) > 2 * self.width:
            del self._rendered[next(iter(self._rendered))]
        return payload

    async def _run(self) -> None:
        end: RequestErrors | None = None
        try:
            await self._open()
            await self._pump()
        except RequestErrors as errors:
            end = errors
        except Exception as error:  # noqa: BLE001  # whatever the source raises, its members are told and it is logged
            end = self._kitchen.failure(error) if self._kitchen else _unavailable(error)
        finally:
            self._rooms.forget(self)
            for member in tuple(self._members):
                member.finish(end)
            if self.source is not None:
                await self.source.aclose()

    async def _open(self) -> None:
        self._kitchen = await self._make_kitchen()
        self.source = await self._kitchen.open()
        for member in tuple(self._members):
            member.resynchronise()

    async def _pump(self) -> None:
        assert self.source is not None
        async for event in self.source:
            payload = await self.render(event)
            for member in tuple(self._members):
                member.offer(event, payload)
            self._metrics.frames.inc(len(self._members))
            # A source that never has to wait must not keep the members' writers from the loop.
            await asyncio.sleep(0)


def _unavailable(error: Exception) -> RequestErrors:
    return RequestErrors([GraphQLError(str(error), path=["subscription"], original_error=error)])


class Member:
    """One subscriber's place in a room: an async iterator of payloads over a bounded mailbox."""

    def __init__(self, room: Room, mailbox_events: int, metrics: WebMetrics) -> None:
        self._room = room
        self._limit = mailbox_events
        self._metrics = metrics
        self._queue: deque[tuple[object, str | None]] = deque()
        self._snapshot_due = False
        self._floor: Sequence[object] = ()
        self._ended = False
        self._errors: RequestErrors | None = None
        self._waiter: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def __hash__(self) -> int:
        return id(self)

    def __bool__(self) -> bool:
        return True

    def resynchronise(self) -> None:
        """Void what is queued; the next payload is the snapshot of the moment in which it is taken."""
        self._queue.clear()
        self._snapshot_due = True
        self._wake()

    def offer(self, event: object, payload: str) -> None:
        """Put an event into the mailbox; where it is full, the source says what becomes of the queued ones."""
        if self._ended or self._is_told(event):
            return
        self._queue.append((event, payload))
        if len(self._queue) > self._room_for:
            self._overflow()
        self._wake()

    def finish(self, errors: RequestErrors | None) -> None:
        """End the stream after what is queued, with errors or without."""
        self._ended = True
        self._errors = errors
        self._wake()

    def leave(self) -> None:
        """Leave the room; nothing more is taken."""
        self._room.dismiss(self)

    def __aiter__(self) -> "Member":
        return self

    async def __anext__(self) -> str:
        while True:
            if self._snapshot_due:
                payload = await self._take_snapshot()
                if payload is not None:
                    return payload
            elif self._queue:
                event, rendered = self._queue.popleft()
                return rendered if rendered is not None else await self._room.render(event)
            elif self._ended:
                raise self._errors or StopAsyncIteration
            else:
                await self._wait()

    async def _take_snapshot(self) -> str | None:
        self._snapshot_due = False
        source = self._room.source
        snapshots = source.snapshots() if source else ()
        if not snapshots:
            return None
        # What the snapshots tell must not follow them, be it queued already or still to be pumped.
        self._floor = snapshots
        while self._queue and self._is_told(self._queue[0][0]):
            self._queue.popleft()
        first, *others = snapshots
        self._queue.extendleft((other, None) for other in reversed(others))
        return await self._room.render(first)

    def _is_told(self, event: object) -> bool:
        source = self._room.source
        if not self._floor or source is None:
            return False
        if any(source.covers(snapshot, event) for snapshot in self._floor):
            return True
        self._floor = ()
        return False

    @property
    def _room_for(self) -> int:
        """How many events the queue takes before they are made fewer: more than tell the present state."""
        return max(self._limit, 2 * self._room.width)

    def _overflow(self) -> None:
        assert self._room.source is not None
        self._metrics.overflows.inc()
        kept = self._room.source.overflow([event for event, _ in self._queue])
        if kept is None:
            self.resynchronise()
            return
        payloads = {id(event): payload for event, payload in self._queue}
        self._queue = deque((event, payloads.get(id(event))) for event in kept)
        if len(self._queue) > self._room_for:
            self._cut_off()

    def _cut_off(self) -> None:
        self._metrics.slow_readers.inc()
        self._queue.clear()
        fault = RequestFault(FaultCode.SLOW_READER, "The reader is too slow for this stream; subscribe again.")
        self.finish(RequestErrors([GraphQLError(fault.message, original_error=fault)]))
        self._room.dismiss(self)

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
