"""One WebSocket connection: a reader, and a writer with a bounded queue."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

from starlette.types import Receive, Send

from infra.sandbox.streams.hub import SendQueue


def abort(send: Send) -> None:
    """Abort the connection behind an ASGI `send` as a broken network does: no answer, no close frame.

    ASGI has no message for it; uvicorn's `send` is a method of the object that holds the transport.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()


async def serve_socket(receive: Receive, send: Send, send_queue: SendQueue, on_text: Callable[[str], None]) -> None:
    """Accept the connection; pass each text to `on_text` and send the queue, until either side ends it."""
    await receive()
    await send({"type": "websocket.accept"})
    send_queue.on_close = lambda: abort(send)
    writer = asyncio.create_task(_write(send, send_queue))
    try:
        while (message := await receive())["type"] == "websocket.receive":
            on_text(message.get("text") or "")
    finally:
        send_queue.on_close = None
        send_queue.close()
        writer.cancel()
        await asyncio.wait([writer])


async def reject(receive: Receive, send: Send) -> None:
    """Answer a connection request with 403."""
    await receive()
    await send({"type": "websocket.close", "code": 1008})


async def _write(send: Send, send_queue: SendQueue) -> None:
    # If the peer has gone, uvicorn's send raises OSError; the reader sees the same and ends the connection.
    with suppress(OSError, RuntimeError, asyncio.CancelledError):
        while (text := await send_queue.next()) is not None:
            await send({"type": "websocket.send", "text": text})
