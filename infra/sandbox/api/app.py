"""The ASGI application: who answers a request, under which limits, and the faults that a test asked for."""

import asyncio
from collections.abc import Mapping
from typing import Any

from infra.sandbox.api.account import PRIVATE
from infra.sandbox.api.admin import Admin
from infra.sandbox.api.market import PUBLIC
from infra.sandbox.api.params import Params
from infra.sandbox.api.rate_limits import RateLimits
from infra.sandbox.api.routing import Endpoint, RequestContext
from infra.sandbox.api.signing import check_signature, key_holder, rest_payload
from infra.sandbox.clock import monotonic_seconds
from infra.sandbox.errors import ExchangeError
from infra.sandbox.faults import FaultInjector
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.streams.hub import StreamHub, encode
from infra.sandbox.streams.market_socket import MarketSocket
from infra.sandbox.streams.sockets import Receive, Send, abort, reject
from infra.sandbox.streams.user_socket import UserSocket, UserStreams

MAX_BODY_BYTES = 64 * 1024
SERVER_ERROR = 500
GATEWAY_PAGE = b"<html><head><title>%d</title></head><body><center><h1>%d</h1></center></body></html>"
"""What a 5xx of Binance's gateway looks like: no JSON, and no word of what became of the request."""
ROUTES: dict[tuple[str, str], Endpoint] = {
    ("GET", f"/api/v3/{name}"): endpoint for name, endpoint in PUBLIC.items()
} | PRIVATE
PATHS = {path for _, path in ROUTES}
Headers = list[tuple[bytes, bytes]]


class SandboxApp:
    """All of the exchange's addresses."""

    def __init__(
        self,
        exchange: Exchange,
        admin: Admin,
        hub: StreamHub,
        streams: UserStreams,
        faults: FaultInjector,
        limits: RateLimits,
    ) -> None:
        self._exchange = exchange
        self._admin = admin
        self._hub = hub
        self._streams = streams
        self._faults = faults
        self._limits = limits

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._websocket(scope, receive, send)

    async def _websocket(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        path, query = scope["path"], scope["query_string"].decode("latin-1")
        if self._faults.consume("refuse_sockets"):
            await reject(receive, send)
        elif path == "/ws-api/v3":
            await UserSocket(self._exchange, self._streams, self._limits, _address(scope)).serve(receive, send)
        elif path in {"/stream", "/ws"} or path.startswith("/ws/"):
            await MarketSocket(self._exchange, self._hub, path, query).serve(receive, send)
        else:
            await reject(receive, send)

    async def _http(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        body = await _read(receive)
        if body is None:
            return
        places = (scope["method"], scope["path"]) == ("POST", "/api/v3/order")
        if places and self._faults.consume("delay_orders_count"):
            await asyncio.sleep(self._faults.delay_orders_ms / 1000)
        if places and self._faults.consume("drop_orders"):
            abort(send)
            await _wait_for_disconnect(receive)
            return
        status, headers, content = await self._answer(scope, body)
        if await self._suppress_response(scope, receive, send, status):
            return
        if not scope["path"].startswith("/admin/") and self._faults.consume("delay_count"):
            await asyncio.sleep(self._faults.delay_ms / 1000)
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _suppress_response(self, scope: Mapping[str, Any], receive: Receive, send: Send, status: int) -> bool:
        """Keep the answer to an accepted order or cancel to ourselves, where a test asked for it."""
        request = (scope["method"], scope["path"])
        if status != 200:  # noqa: PLR2004 - HTTP's OK
            return False
        placed, cancelled = request == ("POST", "/api/v3/order"), request == ("DELETE", "/api/v3/order")
        if (placed and self._faults.consume("swallow_orders")) or (
            cancelled and self._faults.consume("swallow_cancels")
        ):
            abort(send)
            await _wait_for_disconnect(receive)
            return True
        if placed and self._faults.consume("hang_orders"):
            await _wait_for_disconnect(receive)
            return True
        return False

    async def _answer(self, scope: Mapping[str, Any], body: bytes) -> tuple[int, Headers, bytes]:
        headers: Headers = [(b"content-type", b"application/json;charset=UTF-8")]
        try:
            content = encode(await self._route(scope, body, headers))
            status = 200
        except ExchangeError as error:
            content, status = encode({"code": error.code, "msg": error.message}), error.status
            if status >= SERVER_ERROR:
                headers[:], content = [(b"content-type", b"text/html")], GATEWAY_PAGE % (status, status)
            if error.retry_after_seconds is not None:
                headers.append((b"retry-after", str(error.retry_after_seconds).encode()))
        headers.append((b"content-length", str(len(content)).encode()))
        return status, headers, content

    async def _route(self, scope: Mapping[str, Any], body: bytes, headers: Headers) -> object:
        path, method = scope["path"], scope["method"]
        sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        if path.startswith("/admin/") and method == "POST":
            return self._admin.handle(path.removeprefix("/admin/"), sent.get("authorization", ""), body, self._faults)
        if self._faults.consume("answer_count"):
            raise _fault(self._faults.answer_status)
        endpoint = ROUTES.get((method, path))
        if endpoint is None:
            raise ExchangeError(-1000, "Not Found" if path not in PATHS else "Method Not Allowed", _unavailable(path))
        used = self._limits.use_weight(_address(scope), endpoint.weight, monotonic_seconds())
        if self._exchange.has_limits:  # A client that is told what it used keeps to the limit that it knows.
            headers += [(name, str(used).encode()) for name in (b"x-mbx-used-weight", b"x-mbx-used-weight-1m")]
        query = scope["query_string"].decode("latin-1")
        return await self._context(endpoint, query, body.decode("latin-1"), sent.get("x-mbx-apikey", ""), headers)

    async def _context(self, endpoint: Endpoint, query: str, form: str, api_key: str, headers: Headers) -> object:
        params = Params.of_query(query, form)
        if not (endpoint.signed or endpoint.keyed):
            context = RequestContext(self._exchange, params)
            live = None if endpoint.live_handler is None else endpoint.live_handler(context)
            return endpoint.handler(context) if live is None else await live
        account = key_holder(self._exchange, api_key)
        if endpoint.signed:
            check_signature(account, rest_payload(query, form), params, self._exchange.clock.now_ms())
        if endpoint.places_order:
            short, day = self._limits.use_order(account.uid, monotonic_seconds())
            if self._exchange.has_limits:
                headers += [(b"x-mbx-order-count-10s", b"%d" % short), (b"x-mbx-order-count-1d", b"%d" % day)]
        return endpoint.handler(RequestContext(self._exchange, params, account))


async def _wait_for_disconnect(receive: Receive) -> None:
    """Wait until the client has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _read(receive: Receive) -> bytes | None:
    """Return the body of a request; None where the client has gone or sends too much."""
    body = b""
    while len(body) <= MAX_BODY_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += bytes(message.get("body", b""))
        if not message.get("more_body"):
            return body
    return None


def _address(scope: Mapping[str, Any]) -> str:
    return str((scope.get("client") or ("?",))[0])


def _unavailable(path: str) -> int:
    return 405 if path in PATHS else 404


def _fault(status: int) -> ExchangeError:
    if status in {418, 429}:
        return ExchangeError(-1003, "Too much request weight used.", status, 1)
    return ExchangeError(-1000, "An unknown error occurred while processing the request.", status)
