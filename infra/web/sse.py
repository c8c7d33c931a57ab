"""Server-sent events, one operation a response (the distinct connections mode of graphql-sse)."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final

from graphql import GraphQLError
from starlette.responses import StreamingResponse

from domain.errors import RequestFault
from infra.web.connections import ConnectionRegistry
from infra.web.context import OperationContext
from infra.web.documents import Prepared, RequestErrors
from infra.web.encoding import encode_json
from infra.web.operations import Operations, is_subscription, public_errors
from infra.web.requests import GraphQLRequest
from schema.errors import public_error

HEARTBEAT_SECONDS: Final = 15.0
_COMPLETE: Final = "event: complete\ndata:\n\n"


def event_stream(
    operations: Operations,
    connections: ConnectionRegistry,
    prepared: Prepared,
    request: GraphQLRequest,
    context: OperationContext,
) -> StreamingResponse:
    """Return a response that streams the results of an operation."""
    stream = EventStream(_events(operations, prepared, request, context), connections, context)
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(stream.text(HEARTBEAT_SECONDS), headers=headers, media_type="text/event-stream")


class EventStream:
    """The events of one response, which can be ended from outside as a socket can."""

    def __init__(self, events: AsyncGenerator[str], connections: ConnectionRegistry, context: OperationContext) -> None:
        self._events = events
        self._connections = connections
        self._context = context
        self._stop = asyncio.Event()

    async def close(self, code: int, reason: str) -> None:
        """End the stream; there is no place in it for the code."""
        _ = code, reason
        self._stop.set()

    async def text(self, heartbeat_seconds: float) -> AsyncGenerator[str]:
        """Give the events, and a comment whenever there was none for a while, to the end or until it is closed."""
        self._connections.add(self)
        self._connections.bind(self, self._context.credential_id)
        seconds_left = self._context.credential_seconds_left
        loop = asyncio.get_running_loop()
        expiry = loop.call_later(seconds_left, self._stop.set) if seconds_left is not None else None
        try:
            async for text in self._until_stopped(heartbeat_seconds):
                yield text
        finally:
            self._connections.remove(self)
            if expiry is not None:
                expiry.cancel()

    async def _until_stopped(self, heartbeat_seconds: float) -> AsyncGenerator[str]:
        stopped = asyncio.ensure_future(self._stop.wait())
        pending: asyncio.Future[str] | None = None
        try:
            while not stopped.done():
                pending = pending or asyncio.ensure_future(anext(self._events))
                both: list[asyncio.Future[Any]] = [pending, stopped]
                await asyncio.wait(both, timeout=heartbeat_seconds, return_when=asyncio.FIRST_COMPLETED)
                if not pending.done() and not stopped.done():
                    yield ":\n\n"
                if not pending.done():
                    continue
                try:
                    event = pending.result()
                except StopAsyncIteration:
                    return
                pending = None
                yield event
            yield _COMPLETE
        finally:
            await _cancel(stopped, pending)
            await self._events.aclose()


async def _events(
    operations: Operations, prepared: Prepared, request: GraphQLRequest, context: OperationContext
) -> AsyncGenerator[str]:
    try:
        if is_subscription(prepared):
            async with operations.subscribe(prepared, request.variables, context) as payloads:
                async for payload in payloads:
                    yield _next(payload)
        else:
            yield _next(encode_json(await operations.execute(prepared, request.variables, context)))
    except RequestErrors as errors:
        yield _next(encode_json({"errors": public_errors(errors)}))
    except RequestFault as fault:
        told = public_error(GraphQLError(fault.message, original_error=fault))
        yield _next(encode_json({"errors": [told]}))
    except Exception as error:  # noqa: BLE001  # nothing internal leaks, and nothing is left unanswered
        told = public_error(GraphQLError("", path=["operation"], original_error=error))
        yield _next(encode_json({"errors": [told]}))
    yield _COMPLETE


async def _cancel(*tasks: asyncio.Future[Any] | None) -> None:
    running = [task for task in tasks if task is not None and not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running)


def _next(payload: str) -> str:
    return f"event: next\ndata: {payload}\n\n"
