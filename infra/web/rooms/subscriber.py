"""One subscriber of a room, with a bounded queue, so that a slow reader delays nobody else."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from domain.core.errors import FaultCode, RequestFault
from infra.web.errors import RequestErrors, errors_from_fault
from infra.web.metrics import WebMetrics
from infra.web.rooms.payload import SharedPayload
from resolvers.streams import SharedStream


class SubscribedRoom(Protocol):
    """The part of a room that its subscribers use."""

    @property
    def source(self) -> SharedStream[object] | None:
        """The shared source; None until it is open."""
        ...

    @property
    def width(self) -> int:
        """How many events make up the present state."""
        ...

    async def render(self, event: object) -> SharedPayload:
        """Return the payload of an event."""
        ...

    def remove(self, subscriber: "Subscriber") -> None:
        """Remove a subscriber, if it is still there."""
        ...


TryWrite = Callable[[SharedPayload], bool]
"""Writes a payload to a transport at once; returns False if it has no room for it at present."""


class Subscriber:
    """An async iterator of payloads over a bounded queue of events.

    While its reader waits for the next payload, all earlier ones are in the transport. So an event may then be written
    there at once, if the reader has given a function that does so: no task has to be woken for it.
    """

    def __init__(self, room: SubscribedRoom, queued_events: int, metrics: WebMetrics) -> None:
        self._room = room
        self._queued_events = queued_events
        self._metrics = metrics
        self._queue: list[tuple[object, SharedPayload | None]] = []
        """A list, since it is nearly always empty: an empty deque takes ten times the memory."""
        self._snapshot_due = False
        self._snapshot_floor: Sequence[object] = ()
        """The snapshots that were taken last: events that they cover are not sent after them."""
        self._ended = False
        self._errors: RequestErrors | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._try_write: TryWrite | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def __hash__(self) -> int:
        return id(self)

    def __bool__(self) -> bool:
        return True

    def resync(self) -> None:
        """Discard what is queued; the next payload is a snapshot, of the moment in which it is asked for."""
        self._queue.clear()
        self._snapshot_due = True
        self._wake()

    def write_directly(self, try_write: TryWrite) -> None:
        """Let events be written at once from now on, for as long as the transport takes them."""
        self._try_write = try_write

    def deliver(self, event: object, payload: SharedPayload) -> None:
        """Write an event at once, or else append it to the queue.

        If the queue is full, the source decides what becomes of the queued events.
        """
        if self._ended or (self._snapshot_floor and self._is_covered(event)):
            return
        if self._is_waiting and self._try_write is not None and self._try_write(payload):
            return
        self._queue.append((event, payload))
        if len(self._queue) > self._max_queued:
            self._overflow()
        self._wake()

    def end(self, errors: RequestErrors | None) -> None:
        """End the stream after what is queued, with errors or without."""
        self._ended = True
        self._errors = errors
        self._wake()

    def unsubscribe(self) -> None:
        """Leave the room; nothing more is delivered, not even an event that the room is delivering now."""
        self._ended = True
        self._room.remove(self)

    def __aiter__(self) -> "Subscriber":
        return self

    async def __anext__(self) -> SharedPayload:
        while True:
            if self._snapshot_due:
                payload = await self._take_snapshot()
                if payload is not None:
                    return payload
            elif self._queue:
                event, rendered = self._queue.pop(0)
                return rendered if rendered is not None else await self._room.render(event)
            elif self._ended:
                raise self._errors or StopAsyncIteration
            else:
                await self._wait()

    async def _take_snapshot(self) -> SharedPayload | None:
        self._snapshot_due = False
        source = self._room.source
        snapshots = source.snapshots() if source else ()
        if not snapshots:
            return None
        # Events that the snapshots include must not follow them, whether they are queued or still to be pumped.
        self._snapshot_floor = snapshots
        while self._queue and self._is_covered(self._queue[0][0]):
            self._queue.pop(0)
        first, *others = snapshots
        self._queue[:0] = [(other, None) for other in others]
        return await self._room.render(first)

    def _is_covered(self, event: object) -> bool:
        source = self._room.source
        if not self._snapshot_floor or source is None:
            return False
        if any(source.covers(snapshot, event) for snapshot in self._snapshot_floor):
            return True
        self._snapshot_floor = ()
        return False

    @property
    def _max_queued(self) -> int:
        """How many events may be queued before their number is reduced: more than make up the present state."""
        return max(self._queued_events, 2 * self._room.width)

    def _overflow(self) -> None:
        source = self._room.source
        assert source is not None
        self._metrics.overflows.inc()
        kept = source.overflow([event for event, _ in self._queue])
        if kept is None:
            self.resync()
            return
        payloads = {id(event): payload for event, payload in self._queue}
        self._queue = [(event, payloads.get(id(event))) for event in kept]
        if len(self._queue) > self._max_queued:
            self._disconnect()

    def _disconnect(self) -> None:
        self._metrics.slow_readers.inc()
        self._queue.clear()
        fault = RequestFault(FaultCode.SLOW_READER, "The reader is too slow for this stream; subscribe again.")
        self.end(errors_from_fault(fault))
        self._room.remove(self)

    @property
    def _is_waiting(self) -> bool:
        """Whether the reader waits, and has not been woken or cancelled yet."""
        return self._waiter is not None and not self._waiter.done()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and self._is_waiting:
            self._waiter.set_result(None)
