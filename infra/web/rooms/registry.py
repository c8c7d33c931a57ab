"""All rooms of a process, found by what they execute."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from domain.core.errors import FaultCode, RequestFault
from infra.web.metrics import WebMetrics
from infra.web.rooms.room import MakeExecutor, Room
from infra.web.rooms.subscriber import Subscriber


@dataclass(frozen=True, slots=True)
class RoomKey:
    """What makes two subscriptions the same; `variables` are coerced and written canonically."""

    document: str
    operation_name: str | None
    variables: str
    scope: str = "public"


class Rooms:
    """All rooms of this process."""

    def __init__(self, queued_events: int, max_rooms: int, metrics: WebMetrics) -> None:
        self._rooms: dict[RoomKey, Room] = {}
        self._queued_events = queued_events
        self._max_rooms = max_rooms
        self._metrics = metrics
        self._opened_by: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._rooms)

    def __iter__(self) -> Iterator[Room]:
        return iter(tuple(self._rooms.values()))

    def join(
        self, key: RoomKey, make_executor: MakeExecutor, client: str = "", max_opened: int | None = None
    ) -> Subscriber:
        """Return a new subscriber of the room with this key; the room is opened if there is none.

        Raises RATE_LIMITED if `client` has already opened `max_opened` rooms that are still open, and UNAVAILABLE if
        the process has its maximum of rooms.
        """
        room = self._rooms.get(key) or self._open(key, make_executor, client, max_opened)
        return room.add(self._queued_events)

    async def aclose(self) -> None:
        """Close all rooms and wait until their sources are closed."""
        rooms = list(self)
        for room in rooms:
            room.close()
        await asyncio.gather(*(room.wait_closed() for room in rooms))

    def _open(self, key: RoomKey, make_executor: MakeExecutor, client: str, max_opened: int | None) -> Room:
        if max_opened is not None and self._opened_by[client] >= max_opened:
            message = f"You already follow {max_opened:,} different live queries; give one up, or use a document twice."
            raise RequestFault(FaultCode.RATE_LIMITED, message)
        if len(self._rooms) >= self._max_rooms:
            raise RequestFault(
                FaultCode.UNAVAILABLE, f"This node already serves {self._max_rooms:,} different live queries."
            )
        # Listed before anything is awaited: two clients that ask at the same moment meet in the same room.
        room = self._rooms[key] = Room(make_executor, lambda closed: self._remove(key, closed, client), self._metrics)
        self._opened_by[client] += 1
        self._metrics.rooms.inc()
        return room

    def _remove(self, key: RoomKey, room: Room, client: str) -> None:
        """Take a room out of the list, so that the next client that joins opens a new one."""
        if self._rooms.get(key) is not room:
            return
        del self._rooms[key]
        self._opened_by[client] -= 1
        if not self._opened_by[client]:
            del self._opened_by[client]
        self._metrics.rooms.dec()
