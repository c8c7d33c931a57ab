"""Server-sent events, one operation a response (the distinct connections mode of graphql-sse).

https://github.com/enisdenjo/graphql-sse/blob/master/PROTOCOL.md
"""

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Final

from starlette.types import Receive, Scope, Send

from domain.core.errors import FaultCode, RequestFault
from domain.users.request_rates import RequestRate
from infra.web.connections.close_codes import CloseCode
from infra.web.connections.direct_writes import DirectWriter, find_direct_writer
from infra.web.context import OperationContext
from infra.web.dependencies import TransportDependencies
from infra.web.documents.preparation import PreparedOperation
from infra.web.encoding import encode_json
from infra.web.errors import RequestErrors, errors_from_fault, public_errors, slow_reader_fault, to_request_errors
from infra.web.operation_log import OperationLogEntry
from infra.web.requests import GraphQLRequest
from infra.web.rooms.payload import SharedPayload
from infra.web.rooms.subscriber import Subscriber, TryWrite

_HEADERS: Final = (
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),
)
_START_OF_NEXT: Final = b"event: next\ndata: "
_COMPLETE: Final = "event: complete\ndata:\n\n"
_CONNECTION_LOST: Final = ""
"""The end of a stream that the client should open again: no `complete`, as if the connection was lost."""

_RETRY_MILLISECONDS: Final = (500, 3_000)
_DRAIN_SECONDS: Final = 0.1
"""How long a connection that is cut stays open after its last event: clients may discard what they read later."""

_TRANSIENT: Final = frozenset({FaultCode.UNAVAILABLE, FaultCode.SLOW_READER, FaultCode.RATE_LIMITED})


@dataclass(frozen=True, slots=True)
class _Event:
    """Text that is written at once, and the cursor after which a subscription that got it can resume."""

    text: str
    cursor: str | None = None


_HEARTBEAT: Final = _Event(":\n\n")


class SseResponse:
    """The results of one operation as server-sent events.

    `complete` means that the operation has ended for good. So it is sent when the source has ended, when the
    operation has failed permanently, and when its credential isn't accepted any more (after an UNAUTHENTICATED). When
    the server stops, or a subscription fails transiently, the connection is closed without it, on which clients open
    the stream again. The last chunk of the response is then left out too, which marks the response as incomplete (RFC
    9112, 8): graphql-sse 2.6 waits for ever for a stream that ends properly while it handles an event.

    sse-starlette isn't used since it always sends that last chunk, and learns of a shutdown from a signal handler.
    """

    def __init__(
        self,
        dependencies: TransportDependencies,
        prepared: PreparedOperation,
        request: GraphQLRequest,
        context: OperationContext,
        rate: RequestRate | None,
    ) -> None:
        self._rate = rate
        self._dependencies = dependencies
        self._settings = dependencies.settings
        self._prepared = prepared
        self._request = request
        self._context = context
        self._is_private = False
        self._direct: DirectWriter | None = None
        self._cursor_taken: str | None = None
        self._writing: asyncio.Timeout | None = None
        self._end: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Resolved with the last events when the stream is ended from outside."""

    async def close(self, code: CloseCode, reason: str) -> None:
        """End the stream: for good if its credential isn't accepted any more, else to be opened again."""
        _ = reason
        self._end_with(_unauthenticated() if code is CloseCode.FORBIDDEN else _retry())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events until the operation ends, the client leaves, or the stream is closed."""
        self._direct = find_direct_writer(scope)
        await send({"type": "http.response.start", "status": 200, "headers": list(_HEADERS)})
        listening = asyncio.create_task(self._listen(receive))
        expiry = self._register() if self._prepared.is_subscription else None
        try:
            is_complete = await self._write_all(send)
        finally:
            self._dependencies.connections.remove(self)
            if expiry is not None:
                expiry.cancel()
            await _cancel(listening)
        if is_complete:
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        else:
            await asyncio.sleep(_DRAIN_SECONDS)

    def _register(self) -> asyncio.TimerHandle | None:
        """Let a shutdown, a revocation and the expiry of its credential end the stream.

        Queries and mutations aren't registered: they end soon, and their result must reach the client.
        """
        connections, context = self._dependencies.connections, self._context
        connections.add(self)
        connections.set_credential(self, context.credential_id)
        if connections.is_closing:
            self._end_with(_retry())
        if context.credential_seconds_left is None:
            return None
        seconds_left = max(context.credential_seconds_left, 0.0)
        return asyncio.get_running_loop().call_later(seconds_left, lambda: self._end_with(_unauthenticated()))

    def _end_with(self, events: str) -> None:
        if self._end.done():
            return
        self._end.set_result(events)
        if self._writing is not None:  # to a reader that may have stopped reading
            self._writing.reschedule(asyncio.get_running_loop().time() + self._settings.close_timeout_seconds)

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
                if not await self._write(send, event.text, self._send_timeout_seconds):
                    break
                self._cursor_taken = event.cursor or self._cursor_taken
            else:
                return event.text.endswith(_COMPLETE)
        if not self._end.done():
            self._dependencies.metrics.slow_readers.inc()
            await self._write(send, _error(slow_reader_fault(self._cursor_taken)), self._settings.close_timeout_seconds)
        return False

    @property
    def _send_timeout_seconds(self) -> float | None:
        """How long a reader may take for one event; a shared stream, which has a queue for a slow reader, waits."""
        return self._settings.send_timeout_seconds if self._is_private else None

    async def _write(self, send: Send, text: str, timeout_seconds: float | None) -> bool:
        try:
            async with asyncio.timeout(timeout_seconds) as self._writing:
                await send({"type": "http.response.body", "body": text.encode(), "more_body": True})
        except TimeoutError:
            return False
        finally:
            self._writing = None
        return True

    async def _until_ended(self) -> AsyncGenerator[_Event]:
        """Give the operation's events, a comment after each interval without any, and the end."""
        interval = self._settings.ping_interval_seconds
        events = self._events()
        pending: asyncio.Future[_Event] | None = None
        try:
            while not self._end.done():
                pending = pending or asyncio.ensure_future(anext(events))
                either: list[asyncio.Future[Any]] = [pending, self._end]
                await asyncio.wait(either, timeout=interval, return_when=asyncio.FIRST_COMPLETED)
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
            if self._prepared.is_subscription:
                async for event in self._subscribe():
                    yield event
            else:
                result = await self._dependencies.operations.execute(
                    self._prepared, self._request.variables, self._context, self._rate
                )
                yield _Event(_next(encode_json(result)))
        except Exception as error:  # noqa: BLE001  # nothing internal leaks, and nothing is left unanswered
            yield self._failure(to_request_errors(error))
        else:
            yield _Event(_COMPLETE)

    async def _subscribe(self) -> AsyncGenerator[_Event]:
        subscription = self._dependencies.operations.subscribe(self._prepared, self._request.variables, self._context)
        async with subscription as payloads:
            entry = OperationLogEntry.current()
            if isinstance(payloads, Subscriber):
                payloads.write_directly(self._try_write(entry))
                async for shared in payloads:
                    entry.count_payload()
                    yield _Event(_next(shared.text))
                return
            self._is_private, self._cursor_taken = True, payloads.cursor
            async for payload in payloads:
                entry.count_payload()
                yield _Event(_next(payload), payloads.cursor)

    def _try_write(self, entry: OperationLogEntry) -> TryWrite:
        """Return what writes an event of a room at once, until the stream is ended from outside."""

        def try_write(payload: SharedPayload) -> bool:
            end = payload.encoded_by(_end_of_next)
            if self._direct is None or self._end.done() or not self._direct.try_write(_START_OF_NEXT, end):
                return False
            entry.count_payload()
            return True

        return try_write

    def _failure(self, errors: RequestErrors) -> _Event:
        """Return the errors and `complete`, which is left out if a subscription failed transiently."""
        public = public_errors(errors)
        codes = {error.get("extensions", {}).get("code") for error in public}
        is_final = not self._prepared.is_subscription or not codes <= _TRANSIENT
        return _Event(_next(encode_json({"errors": public})) + (_COMPLETE if is_final else _CONNECTION_LOST))


async def _cancel(task: asyncio.Future[Any] | None) -> None:
    if task is not None and not task.done():
        task.cancel()
        await asyncio.wait([task])


def _next(payload: str) -> str:
    return f"event: next\ndata: {payload}\n\n"


def _end_of_next(payload: str) -> bytes:
    return f"{payload}\n\n".encode()


def _error(fault: RequestFault) -> str:
    return _next(encode_json({"errors": public_errors(errors_from_fault(fault))}))


def _unauthenticated() -> str:
    fault = RequestFault(
        FaultCode.UNAUTHENTICATED, "The token isn't accepted any more: it expired, or was revoked. Sign in again."
    )
    return _error(fault) + _COMPLETE


def _retry() -> str:
    """Return the hint after how many milliseconds to connect again, another one for each stream."""
    return f"retry: {random.randrange(*_RETRY_MILLISECONDS)}\n\n"  # noqa: S311  # no secret
