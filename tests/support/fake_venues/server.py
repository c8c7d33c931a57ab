"""A venue in memory behind HTTP and WebSocket on loopback; each protocol is a subclass that translates."""

import asyncio
import itertools
import json
from collections import Counter, defaultdict, deque
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from aiohttp import WSMsgType, web

Json = dict[str, Any]

NOW_MS = 1_767_225_600_000
"""The venue's time at its start; the engine measures it, and signs by it."""

FEE_RATE = Decimal("0.001")


@dataclass
class VenueOrder:
    """An order as the venue has it, in plain words."""

    id: str
    client_id: str
    side: str
    type: str
    quantity: Decimal
    price: Decimal | None
    at_ms: int
    status: str = "open"
    filled: Decimal = Decimal(0)


@dataclass
class VenueFill:
    """One execution; the fee is in quote for a sale, else as the protocol has it."""

    id: str
    order: VenueOrder
    quantity: Decimal
    price: Decimal
    at_ms: int
    number: int
    fee: Decimal = Decimal(0)


@dataclass
class Received:
    """A request as it arrived."""

    method: str
    path: str
    params: Json
    headers: Mapping[str, str]


@dataclass
class Answer:
    """An answer in the place of the venue's own; with `after`, what was asked for is done before."""

    body: Json | str
    status: int = 200
    after: bool = False
    lost: bool = False


class ProtocolError(Exception):
    """An error of the venue, as its protocol writes it."""

    def __init__(self, body: Json | list[Any], status: int = 200) -> None:
        self.body = body
        self.status = status
        super().__init__(str(body))


@dataclass
class FakeVenue:
    """Orders, fills and balances of one account, the requests that came, and the faults that a test asks for."""

    received: list[Received] = field(default_factory=list)
    orders: dict[str, VenueOrder] = field(default_factory=dict)
    fills: list[VenueFill] = field(default_factory=list)
    held: dict[str, tuple[Decimal, Decimal]] = field(
        default_factory=lambda: {"BTC": (Decimal(2), Decimal(2)), "USDT": (Decimal(100_000), Decimal(90_000))}
    )
    """Total and free by currency."""

    sockets: list[web.WebSocketResponse] = field(default_factory=list)
    refuse_streams: bool = False
    ignore_streams: bool = False
    clock_ahead_ms: int = 0
    keys_may_withdraw: bool = False

    ccxt_id = ""
    market_id = ""
    symbol = "BTC/USDT"
    place_path = ""

    def __post_init__(self) -> None:
        self._answers: dict[str, deque[Answer]] = defaultdict(deque)
        self._numbers = itertools.count(1)
        self._started = asyncio.get_running_loop().time()
        self.url = ""
        self.subscribed: Counter[str] = Counter()

    # What a test does

    def answer_next(self, path: str, answer: Answer) -> None:
        """Answer the next command to `path` so."""
        self._answers[path].append(answer)

    def sent_to(self, path: str) -> list[Received]:
        """Return the commands that were sent to a path."""
        return [each for each in self.received if each.path == path and each.method == "POST"]

    def fill(self, order: VenueOrder, quantity: Decimal, price: Decimal = Decimal(100)) -> VenueFill:
        """Fill an order, in part or whole, without a word to the streams."""
        number = next(self._numbers)
        made = VenueFill(
            self.trade_id(number), order, quantity, price, self.now_ms(), number, quantity * price * FEE_RATE
        )
        order.filled += quantity
        order.status = "filled" if order.filled >= order.quantity else "open"
        self.fills.append(made)
        return made

    async def push(self, message: Json | list[Any] | str) -> None:
        """Send a message to every open socket."""
        text = message if isinstance(message, str) else json.dumps(message)
        for socket in [each for each in self.sockets if not each.closed]:
            await socket.send_str(text)

    # What protocols use

    def now_ms(self) -> int:
        """Return the venue's time."""
        return NOW_MS + self.clock_ahead_ms + int((asyncio.get_running_loop().time() - self._started) * 1000)

    def trade_id(self, number: int) -> str:
        """Return the id of the execution with a number."""
        return str(number)

    def order_id(self, number: int) -> str:
        """Return the id of the order with a number."""
        return str(number)

    def new_order(self, client_id: str, side: str, type: str, quantity: str, price: str | None) -> VenueOrder:
        """Take an order."""
        made = VenueOrder(
            self.order_id(next(self._numbers)),
            client_id,
            side,
            type,
            Decimal(quantity),
            Decimal(price) if price else None,
            self.now_ms(),
        )
        self.orders[made.id] = made
        return made

    def find(self, order_id: str | None = None, client_id: str | None = None) -> VenueOrder | None:
        """Return an order by either id."""
        if client_id:
            return next((each for each in self.orders.values() if each.client_id == client_id), None)
        return self.orders.get(order_id or "")

    def add_routes(self, app: web.Application) -> None:
        """Add the protocol's routes: `self.rest(method, path, handler)` and a socket by `self.on_socket`."""
        raise NotImplementedError

    async def on_message(self, socket: web.WebSocketResponse, message: Json | str) -> None:
        """Answer a message of the client's."""
        raise NotImplementedError

    def rest(self, app: web.Application, method: str, path: str, handle: Callable[[Json], Json]) -> None:
        """Answer requests to a path by `handle`, which gets the parameters of query and body."""

        async def on_request(request: web.Request) -> web.StreamResponse:
            params: Json = dict(request.query)
            text = await request.text()
            if text.startswith(("{", "[")):
                parsed = json.loads(text)
                params |= parsed if isinstance(parsed, dict) else parsed[0]
            elif text:
                params |= dict(await request.post())
            self.received.append(Received(request.method, path, params, dict(request.headers)))
            is_planned = request.method == "POST" and self._answers[path]
            planned = self._answers[path].popleft() if is_planned else None
            body: Json | list[Any] | str = ""
            status = 200
            if planned is None or planned.after or planned.lost:
                try:
                    body = handle(params)
                except ProtocolError as error:
                    body, status = error.body, error.status
            if planned is not None and planned.lost:
                assert request.transport is not None
                request.transport.close()
            if planned is not None:
                body, status = planned.body, planned.status
            if isinstance(body, str):
                return web.Response(text=body, status=status, content_type="text/html")
            return web.json_response(body, status=status)

        app.router.add_route(method, path, on_request)

    async def on_socket(self, request: web.Request) -> web.StreamResponse:
        """Serve one WebSocket."""
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        self.sockets.append(socket)
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                text = message.data
                await self.on_message(socket, json.loads(text) if text.startswith("{") else text)
        return socket


@asynccontextmanager
async def running(venue: FakeVenue) -> AsyncIterator[FakeVenue]:
    """Serve a venue on loopback; `venue.url` is its address."""
    app = web.Application()
    venue.add_routes(app)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    assert site._server is not None  # aiohttp names the port nowhere else
    venue.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
    try:
        yield venue
    finally:
        for socket in venue.sockets:
            await socket.close()
        await runner.cleanup()
