"""Server-sent events, one operation a response (the distinct connections mode of graphql-sse).

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from graphql import GraphQLError
from starlette.types import Receive, Scope, Send

from domain.core.errors import FaultCode, RequestFault
from infra.web.connections import FORBIDDEN, ConnectionRegistry
from infra.web.context import OperationContext
from infra.web.documents.documents import PreparedOperation, RequestErrors
from infra.web.encoding import encode_json
from infra.web.http.requests import GraphQLRequest
from infra.web.metrics import WebMetrics
from infra.web.operation_note import OperationNote
from infra.web.operations import Operations, PrivateStream, is_subscription, public_errors, slow_reader
from infra.web.settings import WebSettings
from schema.errors import public_error

HEARTBEAT_SECONDS: Final = 15.0
_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)
_COMPLETE: Final = "event: complete\ndata:\n\n"
_CONNECTION_LOST: Final = ""
"""How a stream ends that the client should open again: without `complete`, as when the connection is lost."""

_LOST_SECONDS: Final = 0.1
"""How long the connection stays open after the last event: a client may throw away what it hasn't read by then."""

_TRANSIENT: Final = frozenset({FaultCode.UNAVAILABLE, FaultCode.SLOW_READER, FaultCode.RATE_LIMITED})
_CLOSE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class StreamParts:
    """What every stream works with."""

    operations: Operations
    connections: ConnectionRegistry
    metrics: WebMetrics
    settings: WebSettings


@dataclass(frozen=True, slots=True)
class _Event:
    """What is written at once, and where a subscription that has got it can go on."""

    text: str
    cursor: str | None = None


_HEARTBEAT: Final = _Event(":\n\n")


class EventStream:
    """The results of one operation as events.

    `complete` says that the operation has ended, and a client takes it for final. So it comes when the source has
    ended, when the operation failed for good, and when its credential isn't accepted any more (after an
    UNAUTHENTICATED). When the server stops, or a subscription fails in a way that trying again may mend, the connection
    is closed without it, on which clients open the stream again. Without the last chunk of the response too, which says
    that the response isn't whole (RFC 9112, 8): graphql-sse 2.6 waits for ever for a stream that ends properly at the
    moment in which an event is being taken.
    """

    def __init__(
        self, parts: StreamParts, prepared: PreparedOperation, request: GraphQLRequest, context: OperationContext
    ) -> None:
        self._parts = parts
        self._prepared = prepared
        self._request = request
        self._context = context
        self._is_private = False
        self._cursor_taken: str | None = None
        self._writing: asyncio.Timeout | None = None
        self._end: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Resolved when the stream is ended from outside, with the last events."""

    async def close(self, code: int, reason: str) -> None:
        """End the stream: for good where its credential isn't accepted any more, else to be opened again."""
        _ = reason
        self._end_with(_unauthenticated() if code == FORBIDDEN else _CONNECTION_LOST)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until the operation ends, the client leaves, or the stream is closed."""
        _ = scope
        await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
        listening = asyncio.create_task(self._listen(receive))
        expiry = self._register() if is_subscription(self._prepared) else None
        try:
            is_complete = await self._write_all(send)
        finally:
            self._parts.connections.remove(self)
            if expiry is not None:
                expiry.cancel()
            await _cancel(listening)
        if is_complete:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await asyncio.sleep(_LOST_SECONDS)

    def _register(self) -> asyncio.TimerHandle | None:
        """Let the stream be ended by a shutdown, a revocation and the expiry of its credential.

        Queries and mutations aren't registered: they are over soon, and what they did must reach the client.
        """
        connections, context = self._parts.connections, self._context
        connections.add(self)
        connections.bind(self, context.credential_id)
        if connections.is_closing:
            self._end_with(_CONNECTION_LOST)
        if context.credential_seconds_left is None:
            return None
        seconds_left = max(context.credential_seconds_left, 0.0)
        return asyncio.get_running_loop().call_later(seconds_left, lambda: self._end_with(_unauthenticated()))

    def _end_with(self, events: str) -> None:
        if self._end.done():
            return
        self._end.set_result(events)
        if self._writing is not None:  # to a reader that may take nothing any more
            self._writing.reschedule(asyncio.get_running_loop().time() + _CLOSE_SECONDS)

    async def _listen(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self._end_with(_CONNECTION_LOST)

    # ---- events out

    async def _write_all(self, send: Send) -> bool:
        """Write every event; return whether the last one was `complete`."""
        event = _HEARTBEAT
        async with aclosing(self._until_ended()) as events:
            async for event in events:
                if not await self._write(send, event.text, self._patience_seconds):
                    break
                self._cursor_taken = event.cursor or self._cursor_taken
            else:
                return event.text.endswith(_COMPLETE)
        if not self._end.done():
            self._parts.metrics.slow_readers.inc()
            await self._write(send, _next(_errors(slow_reader(self._cursor_taken))), _CLOSE_SECONDS)
        return False

    @property
    def _patience_seconds(self) -> float | None:
        """How long a reader may take for one event; a shared stream has a mailbox for a slow one and waits."""
        return self._parts.settings.send_timeout_seconds if self._is_private else None

    async def _write(self, send: Send, text: str, patience_seconds: float | None) -> bool:
        try:
            async with asyncio.timeout(patience_seconds) as self._writing:
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        except TimeoutError:
            return False
        finally:
            self._writing = None
        return True

    async def _until_ended(self) -> AsyncGenerator[_Event]:
        """Give the operation's events, a comment whenever there was none for a while, and the end."""
        events = self._events()
        pending: asyncio.Future[_Event] | None = None
        try:
            while not self._end.done():
                pending = pending or asyncio.ensure_future(anext(events))
                either: list[asyncio.Future[Any]] = [pending, self._end]
                await asyncio.wait(either, timeout=HEARTBEAT_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if pending.done():
                    try:
                        event = pending.result()
                    except StopAsyncIteration:
                        return
                    pending = None
                    yield event
                elif not self._end.done():
                    yield _HEARTBEAT
            yield _Event(self._end.result())
        finally:
            await _cancel(pending)
            await events.aclose()

    async def _events(self) -> AsyncGenerator[_Event]:
        try:
            if is_subscription(self._prepared):
                async for event in self._subscribe():
                    yield event
            else:
                result = await self._parts.operations.execute(self._prepared, self._request.variables, self._context)
                yield _Event(_next(encode_json(result)))
        except RequestErrors as errors:
            yield self._failure(errors)
        except RequestFault as fault:
            yield self._failure(RequestErrors([GraphQLError(fault.message, original_error=fault)]))
        except Exception as error:  # noqa: BLE001  # nothing internal leaks, and nothing is left unanswered
            yield self._failure(RequestErrors([GraphQLError("", path=["operation"], original_error=error)]))
        else:
            yield _Event(_COMPLETE)

    async def _subscribe(self) -> AsyncGenerator[_Event]:
        subscription = self._parts.operations.subscribe(self._prepared, self._request.variables, self._context)
        async with subscription as payloads:
            private = payloads if isinstance(payloads, PrivateStream) else None
            if private is not None:
                self._is_private, self._cursor_taken = True, private.cursor
            async for payload in payloads:
                OperationNote.current().sent_one()
                yield _Event(_next(payload), private.cursor if private else None)

    def _failure(self, errors: RequestErrors) -> _Event:
        """Return the errors and `complete`, unless a subscription failed in a way that trying again may mend."""
        told = public_errors(errors)
        codes = {error.get("extensions", {}).get("code") for error in told}
        is_final = not is_subscription(self._prepared) or not codes <= _TRANSIENT
        return _Event(_next(encode_json({"errors": told})) + (_COMPLETE if is_final else _CONNECTION_LOST))


async def _cancel(task: asyncio.Future[Any] | None) -> None:
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task])


def _next(payload: str) -> str:
    return f"event: next\ndata: {payload}\n\n"


def _errors(fault: RequestFault) -> str:
    return encode_json({"errors": [public_error(GraphQLError(fault.message, original_error=fault))]})


def _unauthenticated() -> str:
    fault = RequestFault(
        FaultCode.UNAUTHENTICATED, "The token isn't accepted any more: it expired, or was revoked. Sign in again."
    )
    return _next(_errors(fault)) + _COMPLETE
