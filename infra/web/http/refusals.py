"""Answers requests and handshakes that are refused before the application sees them."""

import json
from collections.abc import Sequence

from starlette.types import Scope, Send


async def send_refusal(
    scope: Scope, send: Send, status: int, code: str, message: str, headers: Sequence[tuple[bytes, bytes]] = ()
) -> None:
    """Send one error in the shape of GraphQL, with a status and further headers."""
    body = json.dumps({"errors": [{"message": message, "extensions": {"code": code}}]}).encode()
    own = [
        (b"content-type", b"application/json; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
        (b"cache-control", b"no-store"),
    ]
    prefix = "websocket.http.response" if scope["type"] == "websocket" else "http.response"
    await send({"type": f"{prefix}.start", "status": status, "headers": [*headers, *own]})
    await send({"type": f"{prefix}.body", "body": body})
