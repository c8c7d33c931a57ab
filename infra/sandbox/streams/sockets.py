"""One WebSocket connection: a reader, a writer with a bounded outbox, and an end without noise."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from infra.sandbox.streams.hub import Outbox

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def cut(send: Send) -> None:
    """Abort the connection behind an ASGI `send` as a broken network does: no answer, no close frame.

    ASGI has no word for it; uvicorn's `send` is a method of the object that holds the transport.
    """
    transport = getattr(getattr(send, "__self__", None), "transport", None)
    if transport is not None:
        transport.abort()


async def converse(receive: Receive, send: Send, outbox: Outbox, hear: Callable[[str], None]) -> None:
    """Accept the connection; hand each text to `hear` and send what the outbox holds, until either side ends it."""
    await receive()
    await send({"type": "websocket.accept"})
    outbox.on_close = lambda: cut(send)
    writer = asyncio.create_task(_write(send, outbox))
    try:
        while (message := await receive())["type"] == "websocket.receive":
            hear(message.get("text") or "")
    finally:
        outbox.on_close = None
        outbox.close()
        writer.cancel()
        await asyncio.wait([writer])


async def refuse(receive: Receive, send: Send) -> None:
    """Answer a connection request with 403."""
    await receive()
    await send({"type": "websocket.close", "code": 1008})


async def _write(send: Send, outbox: Outbox) -> None:
    # A peer that has gone raises OSError from uvicorn's send; the reader sees the same and ends the conversation.
    with suppress(OSError, RuntimeError, asyncio.CancelledError):
        while (text := await outbox.next()) is not None:
            await send({"type": "websocket.send", "text": text})
