"""A room: the one execution of a shared subscription, and the subscribers that it serves."""

import asyncio
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Final, Protocol

import structlog
from graphql import GraphQLError

from infra.web.errors import RequestErrors
from infra.web.metrics import WebMetrics
from infra.web.rooms.payload import SharedPayload
from infra.web.rooms.subscriber import Subscriber
from resolvers.streams import SharedStream

log = structlog.stdlib.get_logger("r3edge.web")

_DELIVERED_AT_ONCE: Final = 100
"""How many subscribers get an event before everything else that is ready on the loop runs: about a millisecond."""


class RoomExecutor(Protocol):
    """Opens the source of one room and executes the selection on its events, in the room's own context."""

    async def open(self) -> SharedStream[object]:
        """Return the source; raise RequestErrors if the resolver refuses."""
        ...

    async def render(self, event: object) -> str:
        """Return the payload of an event as JSON text."""
        ...

    def failure(self, error: Exception) -> RequestErrors:
        """Return the errors that subscribers get for an exception of the source."""
        ...


MakeExecutor = Callable[[], Awaitable[RoomExecutor]]


class Room:
    """One execution of a shared subscription; it lives from its first subscriber to its last.

    `on_closed` is called with the room when nobody can join it any more, perhaps more than once.
    """

    def __init__(self, make_executor: MakeExecutor, on_closed: "Callable[[Room], None]", metrics: WebMetrics) -> None:
        self.source: SharedStream[object] | None = None
        self._make_executor = make_executor
        self._executor: RoomExecutor | None = None
        self._on_closed = on_closed
        self._metrics = metrics
        self._subscribers: dict[Subscriber, None] = {}
        self._rendered: dict[int, tuple[object, SharedPayload]] = {}
        # A context of its own: without one, its log lines would name the request that happened to open the room.
        self._task = asyncio.create_task(self._run(), name="room", context=Context())

    @property
    def subscribers(self) -> tuple[Subscriber, ...]:
        """The present subscribers."""
        return tuple(self._subscribers)

    @property
    def width(self) -> int:
        """How many events make up the present state."""
        return self.source.width if self.source is not None else 1

    def add(self, queued_events: int) -> Subscriber:
        """Return a new subscriber; if the source is open, it begins with a snapshot."""
        subscriber = Subscriber(self, queued_events, self._metrics)
        self._subscribers[subscriber] = None
        self._metrics.subscribers.inc()
        if self.source is not None:
            subscriber.resync()
        return subscriber

    def remove(self, subscriber: Subscriber) -> None:
        """Remove a subscriber, if it is still there; removing the last one closes the room."""
        if subscriber not in self._subscribers:
            return
        del self._subscribers[subscriber]
        self._metrics.subscribers.dec()
        if not self._subscribers:
            self.close()

    def close(self) -> None:
        """Stop the execution; nobody can join any more."""
        self._on_closed(self)
        self._task.cancel()

    async def wait_closed(self) -> None:
        """Wait until the source is closed."""
        await asyncio.wait([self._task])

    async def render(self, event: object) -> SharedPayload:
        """Return the payload of an event; the newest are cached, since many subscribers need the same snapshots."""
        cached = self._rendered.get(id(event))
        if cached is not None:  # the entry holds its event, so that no other object can have that id
            return cached[1]
        assert self._executor is not None
        payload = SharedPayload(await self._executor.render(event))
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
        except Exception as error:  # noqa: BLE001  # any error of the source reaches its subscribers, and the log
            end = self._executor.failure(error) if self._executor else _unavailable(error)
        finally:
            self._on_closed(self)
            for subscriber in self.subscribers:
                subscriber.end(end)
            if self.source is not None:
                await self._close_source(self.source)

    async def _close_source(self, source: SharedStream[object]) -> None:
        try:
            await source.aclose()
        except Exception:
            log.exception("source_not_closed")  # nobody awaits the result of the room's task

    async def _open(self) -> None:
        self._executor = await self._make_executor()
        self.source = await self._executor.open()
        for subscriber in self.subscribers:
            subscriber.resync()

    async def _pump(self) -> None:
        assert self.source is not None
        async for event in self.source:
            await self._deliver(event, await self.render(event))

    async def _deliver(self, event: object, payload: SharedPayload) -> None:
        """Give an event to all present subscribers; who joins meanwhile begins with a snapshot."""
        subscribers = self.subscribers
        self._metrics.frames.inc(len(subscribers))
        for start in range(0, len(subscribers), _DELIVERED_AT_ONCE):
            for subscriber in subscribers[start : start + _DELIVERED_AT_ONCE]:
                subscriber.deliver(event, payload)
            # Neither many subscribers nor a source that never has to wait may keep others from the loop.
            await asyncio.sleep(0)


def _unavailable(error: Exception) -> RequestErrors:
    return RequestErrors([GraphQLError(str(error), path=["subscription"], original_error=error)])
