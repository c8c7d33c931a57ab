"""A venue in memory that speaks Binance's depth protocol into a real ccxt client, through a line that can fail.

It remembers its book at every update id, so that whatever is shown of it can be held against the truth.
"""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any

from aiohttp import WSMessage, WSMsgType
from ccxt.base.errors import RequestTimeout

from domain.core.clock import Clock
from domain.model.markets import Market, MarketSymbol
from infra.venues.ccxt.binance_depth import DepthSettings
from infra.venues.ccxt.client import exchange_class, new_exchange
from infra.venues.ccxt.clock import VenueClock
from infra.venues.config import VenueSettings
from infra.venues.rate_limit.rate_limiter import RateLimiter

BTC = MarketSymbol("sandbox", "BTC/USDT")
SETTINGS = VenueSettings("sandbox", "binance", "http://127.0.0.1:1", live=False)
GRID = Market(
    BTC, "BTC", "USDT", True, Decimal("0.01"), Decimal("0.001"), Decimal("0.001"), None, None, Decimal(0), Decimal(0)
)  # fmt: skip
MARKET = {"id": "BTCUSDT", "symbol": "BTC/USDT", "base": "BTC", "quote": "USDT", "spot": True}
MARKET |= {"type": "spot", "lowercaseId": "btcusdt"}
Book = dict[str, dict[Decimal, Decimal]]


@dataclass
class DepthVenue:
    """A book that changes, in frames numbered as Binance's are; `truth` has it at the end of each frame."""

    random: Random
    update_id: int = 1_000
    middle: int = 10_000
    book: Book = field(default_factory=lambda: {"b": {}, "a": {}})
    truth: dict[int, Book] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for step in range(1, 30):
            self.book["b"][self._price(-step)] = Decimal(step)
            self.book["a"][self._price(step)] = Decimal(step)
        self._remember()

    def frame(self) -> dict[str, Any]:
        """Change the book and return the event of the change."""
        first = self.update_id + 1
        self.update_id += self.random.randint(1, 5)
        changes: dict[str, dict[Decimal, Decimal]] = {"b": {}, "a": {}}
        self.middle += self.random.randint(-3, 3)
        for side, sign in (("b", -1), ("a", 1)):
            for price in [passed for passed in self.book[side] if (passed * 100 - self.middle) * sign <= 0]:
                changes[side][price] = Decimal(0)
            for _ in range(self.random.randint(0, 3)):
                price = self._price(sign * self.random.randint(1, 30))
                changes[side][price] = Decimal(self.random.randint(0, 9)) / 1000
            for price, quantity in changes[side].items():
                self.book[side][price] = quantity
            self.book[side] = {price: held for price, held in self.book[side].items() if held}
        self._remember()
        rows = {side: [[f"{price:.8f}", f"{held:.8f}"] for price, held in changes[side].items()] for side in "ba"}
        return {"e": "depthUpdate", "E": self.update_id, "s": "BTCUSDT", "U": first, "u": self.update_id} | rows

    def snapshot(self, levels: int, update_id: int | None = None) -> dict[str, Any]:
        """Return the best levels of the book, as it is or was."""
        last = update_id or self.update_id
        bids, asks = self.best(last, levels)
        return {
            "lastUpdateId": last,
            "bids": [[f"{price:.8f}", f"{held:.8f}"] for price, held in bids],
            "asks": [[f"{price:.8f}", f"{held:.8f}"] for price, held in asks],
        }

    def best(self, update_id: int, levels: int) -> tuple[list[tuple[Decimal, Decimal]], list[tuple[Decimal, Decimal]]]:
        """Return the best levels of both sides at the end of a frame."""
        book = self.truth[update_id]
        return sorted(book["b"].items(), reverse=True)[:levels], sorted(book["a"].items())[:levels]

    def _price(self, steps: int) -> Decimal:
        return Decimal(self.middle + steps) / 100

    def _remember(self) -> None:
        self.truth[self.update_id] = {side: dict(levels) for side, levels in self.book.items()}


class Socket:
    """A connection's far end, as ccxt's client holds it."""

    _conn = None

    def __init__(self, on_request: Callable[[dict[str, Any]], None]) -> None:
        self.closed = False
        self._on_request = on_request

    async def send_str(self, text: str) -> None:
        self._on_request(json.loads(text))

    async def close(self, *_: object) -> None:
        self.closed = True


class Line:
    """The way between one venue and one exchange object of ccxt: what is sent by hand arrives as it is given."""

    def __init__(self, venue: DepthVenue, exchange: Any) -> None:
        self.venue = venue
        self.subscribed = False
        self.client: Any = None
        self.snapshots: Callable[[int], dict[str, Any]] = venue.snapshot
        self._holds_back = False
        self._held_back: list[asyncio.Event] = []
        exchange.line = self

    def connected(self, client: Any) -> None:
        """Replace the network of a client that ccxt has just made."""
        self.client = client
        self.subscribed = False
        client.connection = Socket(self._on_request)
        client.connected.resolve(client.url)

    async def depth(self, params: dict[str, Any]) -> dict[str, Any]:
        """Answer a request for a snapshot: it is of the moment of asking, and may be held back."""
        answer = self.snapshots(params["limit"])
        if self._holds_back:
            self._held_back.append(asyncio.Event())
            await self._held_back[-1].wait()
        return answer

    def hold_back(self, holds: bool) -> None:
        """Hold the answers of snapshots back from now on, or no more."""
        self._holds_back = holds

    def release(self) -> None:
        """Let the answers that were held back arrive."""
        for held in self._held_back:
            held.set()
        self._held_back.clear()

    def send(self, message: object) -> None:
        """Let a message arrive: text as it is, bytes as a binary frame, anything else as JSON."""
        if isinstance(message, bytes):
            self.client.handle_message(WSMessage(WSMsgType.BINARY, message, None))
        else:
            text = message if isinstance(message, str) else json.dumps(message)
            self.client.handle_message(WSMessage(WSMsgType.TEXT, text, None))

    @property
    def is_open(self) -> bool:
        """Whether a connected client is subscribed to updates."""
        return self.client is not None and self.subscribed and self.client.error is None

    def cut(self) -> None:
        """End the connection as a network does."""
        self.client.connection.closed = True
        self.client.on_close(1006)

    def fail(self) -> None:
        """End the connection as ccxt's keep-alive does."""
        self.client.on_error(RequestTimeout("no pong"))

    def _on_request(self, request: dict[str, Any]) -> None:
        self.subscribed = request["method"] == "SUBSCRIBE"
        asyncio.get_running_loop().call_soon(self._answer, self.client, request["id"])

    def _answer(self, client: Any, request_id: int) -> None:
        if client is self.client and client.error is None:
            self.send({"result": None, "id": request_id})


async def ccxt_exchange(clock: Clock, settings: DepthSettings | None = None) -> Any:
    """Return ccxt's Binance with the engine's transport, whose network is the `Line` made last."""
    transport = await exchange_class(SETTINGS)

    class OverLine(transport):  # type: ignore[misc, valid-type]
        line: Line

        def client(self, url: str) -> Any:
            made = super().client(url)
            if made.connection is None:
                self.line.connected(made)
            return made

        async def fetch_depth(self, params: dict[str, Any]) -> dict[str, Any]:
            return await self.line.depth(params)

    exchange = new_exchange(OverLine, SETTINGS, VenueClock(clock), RateLimiter(clock))
    exchange.depth_settings = settings or DepthSettings()
    exchange.publicGetDepth = exchange.fetch_depth
    exchange.set_markets([exchange.safe_market_structure(MARKET | {"active": True, "info": {}})])
    return exchange


@dataclass
class LineConnection:
    """What `CcxtMarketData` needs of a connection."""

    public: Any

    async def ensure_connected(self) -> None: ...

    def market(self, _symbol: MarketSymbol) -> Market:
        return GRID
