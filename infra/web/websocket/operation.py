"""One operation on a WebSocket connection, from its `subscribe` message to its `complete` or `error`."""

import asyncio
import time
from collections.abc import Awaitable, Callable

import structlog
from graphql import GraphQLFormattedError

from infra.web.connections.close_codes import CloseCode
from infra.web.context import ConnectionInfo, OperationContext
from infra.web.dependencies import TransportDependencies
from infra.web.documents.preparation import PreparedOperation
from infra.web.encoding import encode_json
from infra.web.errors import (
    RequestErrors,
    errors_from_fault,
    public_errors,
    reason_of,
    slow_reader_fault,
    to_request_errors,
)
from infra.web.operation_log import OperationLogEntry
from infra.web.requests import GraphQLRequest
from infra.web.rooms.payload import SharedPayload
from infra.web.rooms.subscriber import Subscriber
from infra.web.subscriptions import PrivateStream
from infra.web.websocket.sender import ConnectionClosed, MessageSender

log = structlog.stdlib.get_logger("r3edge.web")


class WebSocketOperation:
    """Executes one operation and sends its messages.

    `deregister` is called before the last message, so that the client may use the id again at once.
    """

    def __init__(
        self,
        id: str,
        request: GraphQLRequest,
        dependencies: TransportDependencies,
        sender: MessageSender,
        deregister: Callable[[], None],
    ) -> None:
        self._id = id
        self._request = request
        self._dependencies = dependencies
        self._sender = sender
        self._deregister = deregister
        self._next_prefix = f'{{"id":{encode_json(id)},"type":"next","payload":'

    async def run(self, connection: ConnectionInfo, make_context: Callable[[], Awaitable[OperationContext]]) -> None:
        """Run to the end, and log it."""
        started = time.monotonic()
        with OperationLogEntry() as entry:
            try:
                await self._answer(connection.network, make_context)
            finally:
                self._deregister()
                milliseconds, fields = round((time.monotonic() - started) * 1000, 2), entry.fields()
                if self._dependencies.summary.has_line(connection.network, 0, fields):
                    log.info("operation", request_id=connection.request_id, milliseconds=milliseconds, **fields)

    async def _answer(self, network: str, make_context: Callable[[], Awaitable[OperationContext]]) -> None:
        try:
            operations, request = self._dependencies.operations, self._request
            prepared = await operations.prepare(request.query, request.operation_name, network, request.document_id)
            self._dependencies.metrics.operations_of(prepared.type.value, "websocket").inc()
            context = await make_context()
            rate = await operations.admit(prepared, context)
            if prepared.is_subscription:
                await self._stream(prepared, context)
            else:
                payload = await operations.execute(prepared, request.variables, context, rate)
                await self._send_next(encode_json(payload))
            await self._finish({"id": self._id, "type": "complete"})
        except ConnectionClosed:
            pass
        except Exception as error:  # noqa: BLE001  # nothing internal leaks, and nothing is left unanswered
            await self._fail(to_request_errors(error))

    async def _stream(self, prepared: PreparedOperation, context: OperationContext) -> None:
        subscription = self._dependencies.operations.subscribe(prepared, self._request.variables, context)
        async with subscription as payloads:
            if isinstance(payloads, PrivateStream):
                await self._send_private(payloads)
            else:
                await self._send_shared(payloads)

    async def _send_shared(self, payloads: Subscriber) -> None:
        """Send every payload: what the transport doesn't take at once when its time has come."""
        start, entry = self._next_prefix.encode(), OperationLogEntry.current()

        def try_write(payload: SharedPayload) -> bool:
            if not self._sender.try_write(start, payload.encoded_by(_end_of_next)):
                return False
            entry.count_payload()
            return True

        payloads.write_directly(try_write)
        async for payload in payloads:
            if not try_write(payload):
                await self._send_next(payload.text)
                entry.count_payload()

    async def _send_private(self, payloads: PrivateStream) -> None:
        """Send every payload; a reader that doesn't take one in time loses the stream, but not its place in it."""
        start, taken, entry = self._next_prefix.encode(), payloads.cursor, OperationLogEntry.current()
        async for payload in payloads:
            if self._sender.try_write(start, _end_of_next(payload)):
                taken = payloads.cursor
                entry.count_payload()
                continue
            try:
                async with asyncio.timeout(self._dependencies.settings.send_timeout_seconds):
                    await self._send_next(payload)
            except TimeoutError:
                self._dependencies.metrics.slow_readers.inc()
                raise errors_from_fault(slow_reader_fault(taken)) from None
            taken = payloads.cursor
            entry.count_payload()

    async def _send_next(self, payload: str) -> None:
        await self._sender.send_text(self._next_prefix + payload + "}")

    async def _fail(self, errors: RequestErrors) -> None:
        public = public_errors(errors)
        self._dependencies.metrics.refused.labels(reason_of(public)).inc()
        try:
            async with asyncio.timeout(self._dependencies.settings.close_timeout_seconds):
                await self._finish(error_message(self._id, public))
        except TimeoutError:
            await self._sender.close(CloseCode.TRY_AGAIN_LATER, "Reader too slow")
        except ConnectionClosed:
            pass

    async def _finish(self, message: dict[str, object]) -> None:
        self._deregister()
        await self._sender.send_message(message)


def _end_of_next(payload: str) -> bytes:
    return f"{payload}}}".encode()


def error_message(id: str, errors: list[GraphQLFormattedError]) -> dict[str, object]:
    """Return the message that ends an operation with errors."""
    return {"id": id, "type": "error", "payload": errors}
