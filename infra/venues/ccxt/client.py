"""ccxt's exchange objects as the engine needs them: exact, without their own clock, throttle and surprises."""

import asyncio
import importlib
import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from domain.model.trading import VenueCredentials
from domain.ports.execution_client import SendGuard
from domain.ports.market_data import VenueUnreachable
from infra.venues.binance.depth import BinanceDepth
from infra.venues.ccxt.clock import VenueClock
from infra.venues.ccxt.errors import kinds
from infra.venues.ccxt.types import Ccxt
from infra.venues.config import UnknownVenue, VenueSettings
from infra.venues.rate_limit.ban import BANNED, TOO_MANY
from infra.venues.rate_limit.rate_limiter import RateLimiter
from infra.venues.rate_limit.usage import NO_ANSWER, TOO_MANY_ORDERS, OrderCountTracker, ResponseCounter

RECEIVE_WINDOW_MS = 2_500
REQUEST_TIMEOUT_MS = 5_000
PING_EVERY_MS = 10_000
SERVER_ERROR = 500
WEIGHT_PER_COST = 5
"""ccxt counts Binance's weights in units of its own throttle: 50 ms of 6,000 a minute."""


TOO_MUCH_WEIGHT = -1003
_TOO_MUCH = frozenset({"RateLimitExceeded", "DDoSProtection"})
_PLACING = frozenset({"order", "orderList/oco", "order/oco"})


@dataclass(slots=True)
class InFlightCommand:
    """One command on its way: its guard, and whether its bytes may have left."""

    guard: SendGuard
    left: bool = False


SENDING: ContextVar[InFlightCommand | None] = ContextVar("sending", default=None)
_ANSWERED: ContextVar[list[int] | None] = ContextVar("answered", default=None)
"""The statuses that the request of this task was answered with."""


class TransportMixin:
    """What is put in front of a ccxt class: our clock, our budget, the guard, and streams that end instead of hang."""

    venue_clock: VenueClock
    rate_budget: RateLimiter
    traffic: ResponseCounter
    order_counts: OrderCountTracker | None = None
    replaces_url: bool
    clients: dict[str, Ccxt]

    def nonce(self) -> int:
        """Return the timestamp to sign: the venue's time."""
        return self.venue_clock.milliseconds()

    async def fetch(self, url: str, method: str = "GET", headers: object = None, body: object = None) -> Ccxt:
        """Ask the guard at the last moment, the timestamp being taken and signed, then let the bytes go."""
        sending = SENDING.get()
        if sending is not None:
            sending.guard()
            sending.left = True
        answered: list[int] = []
        token = _ANSWERED.set(answered)
        try:
            return await super().fetch(url, method, headers, body)  # type: ignore[misc]
        except Exception as error:
            self._heed(error, answered)
            raise
        finally:
            _ANSWERED.reset(token)
            self.traffic.answers[answered[-1] if answered else NO_ANSWER] += 1

    async def throttle(self, cost: object = None) -> None:
        """Wait for the venue's budget, which all accounts and feeds share, where ccxt waits for its own."""
        await self.rate_budget.take(1.0 if cost is None else float(cost))  # type: ignore[arg-type]

    def on_rest_response(
        self, code: int, reason: str, url: str, method: str, headers: Mapping[str, str], text: str, *rest: Ccxt
    ) -> Ccxt:
        """Let the budget learn from every answer."""
        if (answered := _ANSWERED.get()) is not None:
            answered.append(code)
        self._learn(code, {name.lower(): value for name, value in headers.items()}, text)
        return super().on_rest_response(code, reason, url, method, headers, text, *rest)  # type: ignore[misc]

    def _learn(self, code: int, headers: Mapping[str, str], text: str) -> None:
        self.rate_budget.observe(code, headers, text)

    def _heed(self, error: Exception, answered: list[int]) -> None:
        """Be silent where the venue said in words of its own that it is asked too much."""
        if kinds(error) & _TOO_MUCH and not TOO_MANY.intersection(answered):
            self.rate_budget.refuse(429, {}, str(error))

    def spawn(self, method: Ccxt, *args: Ccxt) -> Ccxt:
        """Run in the background; a failure reaches the stream that waits for it, and no log."""
        future = super().spawn(method, *args)  # type: ignore[misc]
        future.add_done_callback(_retrieve)
        return future

    def client(self, url: str) -> Ccxt:
        """Return the connection to `url`: its end is told to who waits for it, and to no log."""
        is_new = url not in (self.clients or {})
        client = super().client(url)  # type: ignore[misc]
        if is_new:
            _mend_futures(client)
            client.subscriptions = _Subscriptions(client.subscriptions)
            _end_at_unreadable(client)
        return client

    def ws_dial_delay(self, url: str) -> float:  # noqa: ARG002  # ccxt's
        """Dial at once: the wait between attempts is ours."""
        return 0.0


class BinanceWire(BinanceDepth, TransportMixin):
    """What is known of Binance beyond ccxt's unified calls."""

    exceptions: dict[str, Ccxt]
    tap: Callable[[Mapping[str, Ccxt]], None] | None = None

    async def request(
        self, path: str, api: Ccxt = "public", method: str = "GET", params: Ccxt = None, config: Ccxt = None
    ) -> Ccxt:
        """Take the call's weight from the shared budget, then make it."""
        params, config = params or {}, config or {}
        cost = self.calculate_rate_limiter_cost(api, method, path, params, config)  # type: ignore[attr-defined]
        weight = max(1, round(float(cost) * WEIGHT_PER_COST))
        if self.order_counts is not None and method == "POST" and path in _PLACING:
            self.order_counts.check()
        await self.rate_budget.take(weight)
        with self.rate_budget.under_way(weight):
            told = await super().request(path, api, method, params, config)  # type: ignore[misc]
        if path == "exchangeInfo" and (limit := self.traffic.learn_limits(told.get("rateLimits"))):
            self.rate_budget.limit(limit)
        return told

    def _learn(self, code: int, headers: Mapping[str, str], text: str) -> None:
        if self.order_counts is not None:
            self.order_counts.observe(headers)
        if TOO_MANY_ORDERS in text.replace(" ", ""):
            # One account has placed too many orders: that is no reason for the others to be silent.
            code = SERVER_ERROR - 1
        self.rate_budget.observe(code, headers, text)

    def get_exceptions_by_url(self, url: str, kind: str) -> Ccxt:
        """Return spot's error codes; ccxt finds them by Binance's own host names alone."""
        if self.replaces_url:
            return self.exceptions["spot"].get(kind, {})
        return super().get_exceptions_by_url(url, kind)  # type: ignore[misc]

    def handle_message(self, client: Ccxt, message: Ccxt) -> None:
        """Take a message; Binance sends objects alone, so what couldn't be read as one ends the connection."""
        if isinstance(message, str):
            raise ValueError("it isn't JSON")  # noqa: TRY004  # a fault of the sender
        super().handle_message(client, message)  # type: ignore[misc]

    def handle_errors(self, code: int, reason: str, *rest: Ccxt) -> Ccxt:
        """Read a 5xx as no answer at all, whatever its body says: an order's fate is unknown then."""
        if code >= SERVER_ERROR:
            raise _network_error(f"the venue answered {code}")
        if code == TOO_MUCH_WEIGHT:
            # The WebSocket API has no headers, and its code stands where REST has the status.
            self.rate_budget.refuse(BANNED if "banned" in reason else 429, {}, reason)
        return super().handle_errors(code, reason, *rest)  # type: ignore[misc]

    def handle_order_update(self, client: Ccxt, message: Mapping[str, Ccxt]) -> None:
        """Hand over every report as it came: ccxt's caches keep the newest of an order and add fees as floats."""
        self._tapped(super().handle_order_update, client, message)  # type: ignore[misc]

    def handle_balance(self, client: Ccxt, message: Mapping[str, Ccxt]) -> None:
        """Hand over every change of balances as it came."""
        self._tapped(super().handle_balance, client, message)  # type: ignore[misc]

    def handle_event_stream_terminated(self, client: Ccxt, message: Mapping[str, Ccxt]) -> None:  # noqa: ARG002  # ccxt's
        """End the stream; ccxt rejects a future that nobody waits for."""
        client.on_error(_network_error("the venue ended the user data stream"))

    def _tapped(self, otherwise: Callable[..., None], client: Ccxt, message: Mapping[str, Ccxt]) -> None:
        if self.tap is not None:
            self.tap(message)
        else:
            otherwise(client, message)


async def exchange_class(settings: VenueSettings) -> type[Ccxt]:
    """Return ccxt's class of the venue with our wire in front.

    Imports one venue's module in a thread: 1.3 s where all of them take 3.3 s. Raises `UnknownVenue`.
    """
    try:
        module = await asyncio.to_thread(importlib.import_module, f"ccxt.pro.{settings.ccxt_id}")
    except ModuleNotFoundError:
        raise UnknownVenue(settings.ccxt_id) from None
    # At debug level ccxt logs every request with its key and signature.
    logging.getLogger("ccxt").setLevel(logging.WARNING)
    wire = BinanceWire if settings.is_binance else TransportMixin
    return type(settings.ccxt_id, (wire, getattr(module, settings.ccxt_id)), {})


def new_exchange(
    made_of: type[Ccxt],
    settings: VenueSettings,
    clock: VenueClock,
    budget: RateLimiter,
    credentials: VenueCredentials | None = None,
    traffic: ResponseCounter | None = None,
) -> Ccxt:
    """Return an exchange object; its connections open with its first call and close with `close()`."""
    exchange = made_of(_config(settings, credentials))
    exchange.venue_clock = clock
    exchange.rate_budget = budget
    exchange.traffic = traffic or ResponseCounter()
    exchange.replaces_url = settings.url is not None
    if settings.url is not None:
        # The wait is for TLS connections to shut down; a sandbox has none.
        exchange.timeout_on_exit = 0
    return exchange


def _config(settings: VenueSettings, credentials: VenueCredentials | None) -> dict[str, Ccxt]:
    config: dict[str, Ccxt] = {
        "number": str,
        "newUpdates": True,
        "timeout": REQUEST_TIMEOUT_MS,
        "streaming": {"keepAlive": PING_EVERY_MS},
        "enableRateLimit": not settings.is_binance,
        "options": {"defaultType": "spot"},
    }
    if settings.is_binance:
        config["options"] |= _BINANCE_OPTIONS
    if settings.url is not None:
        config["urls"] = {"api": _addresses(settings.url.rstrip("/"))}
    if credentials is not None:
        config |= {"apiKey": credentials.api_key, "secret": credentials.secret, "password": credentials.passphrase}
    return config


_BINANCE_OPTIONS: dict[str, Ccxt] = {
    "fetchCurrencies": False,
    "fetchMargins": False,
    "fetchMarkets": {"types": ["spot"]},
    # Plain trades have the ids that the stream has; ccxt's default, aggregated ones, have others.
    "fetchTradesMethod": "publicGetTrades",
    "recvWindow": RECEIVE_WINDOW_MS,
    "warnOnFetchOpenOrdersWithoutSymbol": False,
}


def _addresses(url: str) -> dict[str, Ccxt]:
    streams = url.replace("http", "ws", 1)
    return {
        "public": f"{url}/api/v3",
        "private": f"{url}/api/v3",
        "v1": f"{url}/api/v1",
        "sapi": f"{url}/sapi/v1",
        "ws": {"spot": f"{streams}/ws", "ws-api": {"spot": f"{streams}/ws-api/v3"}},
    }


class _Subscriptions(dict[str, Ccxt]):
    """The subscriptions of a connection, of which one that is gone may be taken out again.

    Where a venue refuses the user data stream, ccxt takes its subscription out twice: as the refusal comes, and again
    as it is raised to who asked for the stream, who then got a KeyError in the place of the venue's word.
    """

    def __delitem__(self, name: str) -> None:
        self.pop(name, None)


def _mend_futures(client: Ccxt) -> None:
    """Make a rejection that nobody waited for be told once; ccxt keeps its future, and tells it for ever."""
    make = client.future

    def future(name: str) -> Ccxt:
        if name in client.futures and client.futures[name].done():
            del client.futures[name]
        made = make(name)
        made.remove_done_callback(_retrieve)
        made.add_done_callback(_retrieve)
        return made

    client.future = future


def _end_at_unreadable(client: Ccxt) -> None:
    """Make a message that can't be read end the connection, where ccxt would stop reading in silence."""
    take = client.handle_message

    def message(told: Ccxt) -> None:
        if client.error is not None:
            return
        try:
            take(told)
        except Exception as error:  # noqa: BLE001  # whatever a parser raises
            client.on_error(VenueUnreachable(f"a message could not be read ({type(error).__name__}: {error})"[:200]))

    client.handle_message = message


def _retrieve(future: Ccxt) -> None:
    if not future.cancelled():
        future.exception()


def _network_error(text: str) -> Exception:
    errors = importlib.import_module("ccxt.base.errors")
    error: Exception = errors.ExchangeNotAvailable(text)
    return error
