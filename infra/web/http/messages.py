"""An HTTP request and its response, with no more than GraphQL needs of them."""

from collections.abc import Mapping
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

NOT_MODIFIED: Final = 304

RawHeaders = list[tuple[bytes, bytes]]
"""Header lines as ASGI has them: names in lower case, in their order."""


class HttpRequest:
    """A request; a header in several lines is one list."""

    __slots__ = ("_headers", "method", "receive", "scope")

    def __init__(self, scope: Scope, receive: Receive) -> None:
        self.method: str = scope["method"]
        self.scope = scope
        self.receive = receive
        self._headers: dict[bytes, bytes] = header_values(scope)

    def header(self, name: bytes) -> str | None:
        """Return the value of a header, whose name is in lower case; None if it wasn't sent."""
        value = self._headers.get(name)
        return None if value is None else value.decode("latin-1")

    async def body(self, max_bytes: int) -> bytes | None:
        """Return the body, or None as soon as it is known to be larger; raises `ClientDisconnect`."""
        length = self._headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > max_bytes:
            return None
        body = b""
        while True:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            part: bytes = message.get("body", b"")
            body = body + part if body else part
            if len(body) > max_bytes:
                return None
            if not message.get("more_body"):
                return body


class HttpResponse:
    """A response that is sent in one piece."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, body: bytes, status: int, headers: RawHeaders) -> None:
        self.body = body
        self.status = status
        self.headers = headers

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        headers = self.headers
        if self.status != NOT_MODIFIED:  # its length would be that of the answer which isn't sent (RFC 9110, 8.6)
            headers = [*headers, (b"content-length", b"%d" % len(self.body))]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def header_values(scope: Scope) -> dict[bytes, bytes]:
    """Return the headers of a scope by their names; lines of one name are one list with commas (RFC 9110, 5.3).

    Those that have one value come once: others are refused in `infra.web.http.head`.
    """
    headers = scope["headers"]
    values = dict(headers)
    if len(values) < len(headers):
        for name in values:
            values[name] = b", ".join(value for other, value in headers if other == name)
    return values


def raw_headers(headers: Mapping[str, str]) -> RawHeaders:
    """Return headers as ASGI has them."""
    return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]
