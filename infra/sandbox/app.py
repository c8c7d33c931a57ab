"""The ASGI application: routes each request to its handler, applies the rate limits, and injects faults.

Requests and responses are Starlette's. Routes are looked up in a table by method and path: Starlette's own router tries
one after the other, which with this many routes costs 20 to 30 us, a fifth of a `ping`.
"""

import asyncio

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from infra.sandbox.admin import Admin
from infra.sandbox.api.endpoints import ROUTES
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
from infra.sandbox.streams.sockets import abort, reject
from infra.sandbox.streams.user_socket import UserSocket, UserStreams

MAX_BODY_BYTES = 64 * 1024
OK = 200
TOO_LARGE = 413
SERVER_ERROR = 500
CARRIED_OUT = frozenset({OK, 409})
"""Statuses of requests that have changed something: 409 is half of a cancel-replace."""
JSON_TYPE = "application/json;charset=UTF-8"
GATEWAY_PAGE = b"<html><head><title>%d</title></head><body><center><h1>%d</h1></center></body></html>"
"""An answer of Binance's gateway, such as a 5xx: no JSON, and nothing about the outcome of the request."""
PATHS = {path for _, path in ROUTES}
PLACE_ORDERS = frozenset(route for route, endpoint in ROUTES.items() if endpoint.new_orders)
CANCEL_ORDERS = frozenset({("DELETE", "/api/v3/order"), ("DELETE", "/api/v3/orderList")})


class SandboxApp:
    """Serves REST, the administrative API, the market streams and the WebSocket API."""

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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if scope["type"] == "http":
            await self._serve_http(Request(scope, receive), send)
        elif scope["type"] == "websocket":
            await self._serve_websocket(scope, receive, send)

    async def _serve_websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        path, query = scope["path"], scope["query_string"].decode("latin-1")
        if self._faults.consume("refuse_sockets"):
            await reject(receive, send)
        elif path == "/ws-api/v3":
            address = str((scope.get("client") or ("?",))[0])
            await UserSocket(self._exchange, self._streams, self._limits, address).serve(receive, send)
        elif path in {"/stream", "/ws"} or path.startswith("/ws/"):
            await MarketSocket(self._exchange, self._hub, path, query).serve(receive, send)
        else:
            await reject(receive, send)

    async def _serve_http(self, request: Request, send: Send) -> None:
        try:
            body = await _read_body(request)
        except ClientDisconnect:
            return
        if len(body) > MAX_BODY_BYTES:
            await _refuse_large_body(request, send)
            return
        route = (request.method, request.scope["path"])
        if route in PLACE_ORDERS and self._faults.consume("delay_orders_count"):
            await asyncio.sleep(self._faults.delay_orders_ms / 1000)
        if route in PLACE_ORDERS and self._faults.consume("drop_orders"):
            await _abort(request, send)
            return
        response = await self._respond(request, body)
        if response.status_code in CARRIED_OUT and await self._suppress_response(route, request, send):
            return
        if not route[1].startswith("/admin/") and self._faults.consume("delay_count"):
            await asyncio.sleep(self._faults.delay_ms / 1000)
        await response(request.scope, request.receive, send)

    async def _suppress_response(self, route: tuple[str, str], request: Request, send: Send) -> bool:
        """Withhold the response to an accepted order or cancel, if a test requested it."""
        places = route in PLACE_ORDERS
        if (places and self._faults.consume("swallow_orders")) or (
            route in CANCEL_ORDERS and self._faults.consume("swallow_cancels")
        ):
            await _abort(request, send)
            return True
        if places and self._faults.consume("hang_orders"):
            await _wait_for_disconnect(request)
            return True
        return False

    async def _respond(self, request: Request, body: bytes) -> Response:
        headers = {"content-type": JSON_TYPE}
        try:
            return Response(encode(await self._handle(request, body, headers)), OK, headers)
        except ExchangeError as error:
            content = encode(error.content())
            if error.status >= SERVER_ERROR:
                headers, content = {"content-type": "text/html"}, GATEWAY_PAGE % (error.status, error.status)
            if error.retry_after_seconds is not None:
                headers["retry-after"] = str(error.retry_after_seconds)
            return Response(content, error.status, headers)

    async def _handle(self, request: Request, body: bytes, headers: dict[str, str]) -> object:
        """Return the content of the answer; adds to its `headers`. Raises `ExchangeError`."""
        path, method = request.scope["path"], request.method
        if path.startswith("/admin/") and method == "POST":
            token = request.headers.get("authorization", "")
            return self._admin.handle(path.removeprefix("/admin/"), token, body, self._faults)
        if self._faults.consume("answer_count"):
            raise _fault(self._faults.answer_status, self._faults.answer_retry_after_seconds)
        endpoint = ROUTES.get((method, path))
        if endpoint is None:
            is_path = path in PATHS
            raise ExchangeError(-1000, "Method Not Allowed" if is_path else "Not Found", 405 if is_path else 404)
        address = "?" if request.client is None else request.client.host
        query, form = request.scope["query_string"].decode("latin-1"), body.decode("latin-1")
        params = Params.of_query(query, form)
        used = self._limits.use_weight(address, endpoint.weigh(params), monotonic_seconds())
        if self._exchange.has_limits:  # A client that sees what it used keeps to the limit that it knows.
            headers |= dict.fromkeys(("x-mbx-used-weight", "x-mbx-used-weight-1m"), str(used))
        return await self._call_endpoint(endpoint, request, params, rest_payload(query, form), headers)

    async def _call_endpoint(
        self, endpoint: Endpoint, request: Request, params: Params, payload: str, headers: dict[str, str]
    ) -> object:
        if not (endpoint.signed or endpoint.keyed):
            context = RequestContext(self._exchange, params, self._limits)
            live = None if endpoint.live_handler is None else endpoint.live_handler(context)
            return endpoint.handler(context) if live is None else await live
        account = key_holder(self._exchange, request.headers.get("x-mbx-apikey", ""))
        if endpoint.signed:
            check_signature(account, payload, params, self._exchange.clock.now_ms())
        if endpoint.new_orders:
            in_ten_seconds, today = self._limits.use_order(account.uid, monotonic_seconds(), endpoint.new_orders)
            if self._exchange.has_limits:
                headers |= {"x-mbx-order-count-10s": str(in_ten_seconds), "x-mbx-order-count-1d": str(today)}
        return endpoint.handler(RequestContext(self._exchange, params, self._limits, account))


async def _read_body(request: Request) -> bytes:
    """Return the body of a request, as far as it was read: no further than its first bytes that are too many."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            break
    return body


async def _refuse_large_body(request: Request, send: Send) -> None:
    """Answer 413, as Binance's gateway does, and end the connection, on which the rest of the body may follow."""
    page = GATEWAY_PAGE % (TOO_LARGE, TOO_LARGE)
    headers = {"content-type": "text/html", "connection": "close"}
    await Response(page, TOO_LARGE, headers)(request.scope, request.receive, send)


async def _abort(request: Request, send: Send) -> None:
    abort(send)
    await _wait_for_disconnect(request)


async def _wait_for_disconnect(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _fault(status: int, retry_after_seconds: int) -> ExchangeError:
    if status in {418, 429}:
        return ExchangeError(-1003, "Too much request weight used.", status, retry_after_seconds)
    return ExchangeError(-1000, "An unknown error occurred while processing the request.", status)
