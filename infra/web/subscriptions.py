"""Turns the events of a subscription's source into payloads, for one subscriber or for a room."""

from collections.abc import AsyncIterable

from infra.web.encoding import encode_json
from infra.web.errors import RequestErrors
from infra.web.execution import Executor, open_source, source_failure, to_payload
from infra.web.fair_use import FairUse
from resolvers.streams import ResumableStream, SharedStream


class EventRenderer:
    """Executes a subscription's selection on its events, in the client's turn."""

    def __init__(self, executor: Executor, fair_use: FairUse, client: str, cost: int) -> None:
        self._executor = executor
        self._fair_use = fair_use
        self._client = client
        self._cost = cost

    async def render(self, event: object) -> str:
        """Return the payload of an event as JSON text."""
        async with self._fair_use.loop.turn(self._client, unbounded=True):
            result = self._executor.build_per_event_executor(event).execute_operation(serially=False)
            if not self._executor.is_awaitable(result):
                return encode_json(to_payload(result))
        # The database is not queried before the result is awaited.
        async with self._fair_use.event(self._client, self._cost):
            return encode_json(to_payload(await result))

    def failure(self, error: Exception) -> RequestErrors:
        """Return the errors that subscribers get for an exception of the source."""
        return source_failure(self._executor, error)


class GraphQLRoomExecutor:
    """Opens a room's source and executes its events; implements `infra.web.rooms.room.RoomExecutor`."""

    def __init__(self, executor: Executor, timeout_seconds: float, renderer: EventRenderer) -> None:
        self._executor = executor
        self._timeout_seconds = timeout_seconds
        self._renderer = renderer

    async def open(self) -> SharedStream[object]:
        source = await open_source(self._executor, self._timeout_seconds)
        if not isinstance(source, SharedStream):
            raise self.failure(TypeError(f"a shared field must return a SharedStream, not {type(source).__name__}"))
        return source

    async def render(self, event: object) -> str:
        return await self._renderer.render(event)

    def failure(self, error: Exception) -> RequestErrors:
        return self._renderer.failure(error)


class PrivateStream:
    """One subscriber's own stream of JSON texts; the next event is requested when the last payload was taken."""

    def __init__(self, source: AsyncIterable[object], renderer: EventRenderer) -> None:
        self._source = source
        self._renderer = renderer
        self._events = aiter(source)

    @property
    def cursor(self) -> str | None:
        """The cursor after which a new subscription can resume; None if the stream has no cursors."""
        return self._source.cursor if isinstance(self._source, ResumableStream) else None

    def __aiter__(self) -> "PrivateStream":
        return self

    async def __anext__(self) -> str:
        try:
            event = await anext(self._events)
        except StopAsyncIteration:
            raise
        except Exception as error:  # noqa: BLE001  # any error of the source reaches the client, as far as it is public
            raise self._renderer.failure(error) from None
        return await self._renderer.render(event)

    async def aclose(self) -> None:
        """Close the source."""
        close = getattr(self._events, "aclose", None)
        if close is not None:
            await close()
