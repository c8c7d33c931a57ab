"""ccxt's exchange objects with exact numbers, our clock and rate limiter, and connections that end instead of hang."""

import asyncio
import importlib
import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from domain.model.trading import VenueCredentials
from domain.ports.execution_client import SendGuard
from domain.ports.market_data import VenueUnreachable
from infra.venues.ccxt.binance_depth import BinanceDepth
from infra.venues.ccxt.clock import VenueClock
from infra.venues.ccxt.conversion import CcxtValue
from infra.venues.ccxt.errors import error_names
from infra.venues.config import UnknownVenue, VenueSettings
from infra.venues.rate_limit.ban import BAN_STATUSES, BANNED
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
_ORDER_PATHS = frozenset({"order", "order/cancelReplace", "orderList/oco", "order/oco"})


@dataclass(slots=True)
class InFlightCommand:
    """An order or cancel being sent: its guard, and whether bytes of it may have left."""

    guard: SendGuard
    may_have_left: bool = False


IN_FLIGHT: ContextVar[InFlightCommand | None] = ContextVar("in_flight", default=None)
_STATUSES: ContextVar[list[int] | None] = ContextVar("statuses", default=None)
"""The HTTP statuses of the answers to this task's request."""


class TransportMixin:
    """A mixin in front of a ccxt class: our clock and rate limiter, the guard, and streams that end instead of hang."""

    venue_clock: VenueClock
    rate_limiter: RateLimiter
    responses: ResponseCounter
    order_counts: OrderCountTracker | None = None
    replaces_url: bool
    clients: dict[str, CcxtValue]

    def nonce(self) -> int:
        """Return the timestamp to sign: the venue's time."""
        return self.venue_clock.milliseconds()

    async def fetch(self, url: str, method: str = "GET", headers: object = None, body: object = None) -> CcxtValue:
        """Send the request; the guard is called last, when the timestamp is already signed."""
        command = IN_FLIGHT.get()
        if command is not None:
            command.guard()
            command.may_have_left = True
        statuses: list[int] = []
        token = _STATUSES.set(statuses)
        try:
            return await super().fetch(url, method, headers, body)  # type: ignore[misc]
        except Exception as error:
            self._note_rejection(error, statuses)
            raise
        finally:
            _STATUSES.reset(token)
            self.responses.by_status[statuses[-1] if statuses else NO_ANSWER] += 1

    async def throttle(self, cost: object = None) -> None:
        """Wait for the venue's rate limiter, which all accounts and feeds share, instead of ccxt's own."""
        await self.rate_limiter.acquire(1.0 if cost is None else float(cost))  # type: ignore[arg-type]

    def on_rest_response(
        self, code: int, reason: str, url: str, method: str, headers: Mapping[str, str], text: str, *rest: CcxtValue
    ) -> CcxtValue:
        """Report every answer to the rate limiter."""
        if (statuses := _STATUSES.get()) is not None:
            statuses.append(code)
        self._observe(code, {name.lower(): value for name, value in headers.items()}, text)
        return super().on_rest_response(code, reason, url, method, headers, text, *rest)  # type: ignore[misc]

    def _observe(self, code: int, headers: Mapping[str, str], text: str) -> None:
        self.rate_limiter.observe(code, headers, text)

    def _note_rejection(self, error: Exception, statuses: list[int]) -> None:
        """Start a ban if ccxt recognises the error as too many requests although the status was neither 418 nor 429."""
        if error_names(error) & _TOO_MUCH and not BAN_STATUSES.intersection(statuses):
            self.rate_limiter.on_rejected(429, {}, str(error))

    def handle_errors(self, code: int | None, reason: str, *rest: CcxtValue) -> CcxtValue:
        """Treat a 5xx as no answer, whatever its body: the outcome of an order is unknown then."""
        if code is not None and code >= SERVER_ERROR:
            raise _network_error(f"the venue answered {code}")
        return super().handle_errors(code, reason, *rest)  # type: ignore[misc]

    def spawn(self, method: CcxtValue, *args: CcxtValue) -> CcxtValue:
        """Run in the background; a failure reaches the stream that waits for it, and isn't logged."""
        future = super().spawn(method, *args)  # type: ignore[misc]
        future.add_done_callback(_mark_retrieved)
        return future

    def client(self, url: str) -> CcxtValue:
        """Return the connection to `url`; its error reaches the streams that wait for it, and isn't logged."""
        is_new = url not in (self.clients or {})
        client = super().client(url)  # type: ignore[misc]
        if is_new:
            _drop_rejected_futures(client)
            client.subscriptions = _Subscriptions(client.subscriptions)
            _close_on_unreadable(client)
        return client

    def ws_dial_delay(self, url: str) -> float:  # noqa: ARG002  # ccxt's
        """Return no delay: the caller backs off between attempts."""
        return 0.0


class BinanceTransport(BinanceDepth, TransportMixin):
    """What the engine knows about Binance beyond ccxt's unified calls."""

    exceptions: dict[str, CcxtValue]
    tap: Callable[[Mapping[str, CcxtValue]], None] | None = None

    async def request(
        self,
        path: str,
        api: CcxtValue = "public",
        method: str = "GET",
        params: CcxtValue = None,
        config: CcxtValue = None,
    ) -> CcxtValue:
        """Acquire the request's weight from the shared rate limiter, then send it."""
        params, config = params or {}, config or {}
        cost = self.calculate_rate_limiter_cost(api, method, path, params, config)  # type: ignore[attr-defined]
        weight = max(1, round(float(cost) * WEIGHT_PER_COST))
        if self.order_counts is not None and method == "POST" and path in _ORDER_PATHS:
            self.order_counts.check()
        await self.rate_limiter.acquire(weight)
        with self.rate_limiter.reserve(weight):
            answer = await super().request(path, api, method, params, config)  # type: ignore[misc]
        if path == "exchangeInfo" and (limit := self.responses.read_limits(answer.get("rateLimits"))):
            self.rate_limiter.set_limit(limit)
        return answer

    def _observe(self, code: int, headers: Mapping[str, str], text: str) -> None:
        if self.order_counts is not None:
            self.order_counts.observe(headers)
        if TOO_MANY_ORDERS in text.replace(" ", ""):
            # One account has placed too many orders; that must not ban the others.
            code = SERVER_ERROR - 1
        self.rate_limiter.observe(code, headers, text)

    def get_exceptions_by_url(self, url: str, kind: str) -> CcxtValue:
        """Return spot's error codes; ccxt finds them only by Binance's own host names."""
        if self.replaces_url:
            return self.exceptions["spot"].get(kind, {})
        return super().get_exceptions_by_url(url, kind)  # type: ignore[misc]

    def handle_message(self, client: CcxtValue, message: CcxtValue) -> None:
        """Handle a message. Binance sends only objects, so a text that ccxt couldn't parse ends the connection."""
        if isinstance(message, str):
            raise ValueError("it isn't JSON")  # noqa: TRY004  # a fault of the sender
        super().handle_message(client, message)  # type: ignore[misc]

    def handle_errors(self, code: int | None, reason: str, *rest: CcxtValue) -> CcxtValue:
        """Count a rejection for too much weight, which the WebSocket API reports by its code alone."""
        if code == TOO_MUCH_WEIGHT:
            # The WebSocket API has no headers, and passes its error code in the place of the HTTP status.
            self.rate_limiter.on_rejected(BANNED if "banned" in reason else 429, {}, reason)
        return super().handle_errors(code, reason, *rest)

    def handle_order_update(self, client: CcxtValue, message: Mapping[str, CcxtValue]) -> None:
        """Forward every report unchanged: ccxt's caches keep only the latest of an order, and add fees as floats."""
        self._forward(super().handle_order_update, client, message)  # type: ignore[misc]

    def handle_balance(self, client: CcxtValue, message: Mapping[str, CcxtValue]) -> None:
        """Forward every change of balances unchanged."""
        self._forward(super().handle_balance, client, message)  # type: ignore[misc]

    def handle_event_stream_terminated(self, client: CcxtValue, message: Mapping[str, CcxtValue]) -> None:  # noqa: ARG002  # ccxt's
        """End the stream; ccxt would reject a future that nobody waits for."""
        client.on_error(_network_error("the venue ended the user data stream"))

    def _forward(self, default: Callable[..., None], client: CcxtValue, message: Mapping[str, CcxtValue]) -> None:
        if self.tap is not None:
            self.tap(message)
        else:
            default(client, message)


async def exchange_class(settings: VenueSettings) -> type[CcxtValue]:
    """Return ccxt's class of the venue behind our transport mixin.

    Imports only that venue's module, in a thread: 1.3 s instead of 3.3 s for all. Raises `UnknownVenue`.
    """
    try:
        module = await asyncio.to_thread(importlib.import_module, f"ccxt.pro.{settings.ccxt_id}")
    except ModuleNotFoundError:
        raise UnknownVenue(settings.ccxt_id) from None
    # At debug level ccxt logs every request with its key and signature.
    logging.getLogger("ccxt").setLevel(logging.WARNING)
    transport = BinanceTransport if settings.is_binance else TransportMixin
    return type(settings.ccxt_id, (transport, getattr(module, settings.ccxt_id)), {})


def new_exchange(
    exchange_type: type[CcxtValue],
    settings: VenueSettings,
    clock: VenueClock,
    limiter: RateLimiter,
    credentials: VenueCredentials | None = None,
    responses: ResponseCounter | None = None,
) -> CcxtValue:
    """Return an exchange object; its connections open at its first request and close by `close()`."""
    exchange = exchange_type(_config(settings, credentials))
    exchange.venue_clock = clock
    exchange.rate_limiter = limiter
    exchange.responses = responses or ResponseCounter()
    exchange.replaces_url = settings.url is not None
    if settings.url is not None:
        # ccxt waits for TLS connections to shut down; a sandbox has none.
        exchange.timeout_on_exit = 0
    return exchange


def _config(settings: VenueSettings, credentials: VenueCredentials | None) -> dict[str, CcxtValue]:
    config: dict[str, CcxtValue] = {
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
        config["urls"] = {"api": api_urls(settings.url.rstrip("/"))}
    if credentials is not None:
        config |= {"apiKey": credentials.api_key, "secret": credentials.secret, "password": credentials.passphrase}
    return config


_BINANCE_OPTIONS: dict[str, CcxtValue] = {
    "fetchCurrencies": False,
    "fetchMargins": False,
    "fetchMarkets": {"types": ["spot"]},
    # Plain trades have the ids that the stream has; ccxt's default, aggregated ones, have others.
    "fetchTradesMethod": "publicGetTrades",
    "recvWindow": RECEIVE_WINDOW_MS,
    "warnOnFetchOpenOrdersWithoutSymbol": False,
}


def api_urls(url: str) -> dict[str, CcxtValue]:
    """Return ccxt's `urls["api"]` for a sandbox at `url`."""
    streams = url.replace("http", "ws", 1)
    return {
        "public": f"{url}/api/v3",
        "private": f"{url}/api/v3",
        "v1": f"{url}/api/v1",
        "sapi": f"{url}/sapi/v1",
        "ws": {"spot": f"{streams}/ws", "ws-api": {"spot": f"{streams}/ws-api/v3"}},
    }


class _Subscriptions(dict[str, CcxtValue]):
    """The subscriptions of a connection; deleting a missing one is no error.

    If a venue rejects the user data stream, ccxt deletes its subscription twice: when the rejection arrives and when
    it raises it, so that the caller got a KeyError instead of the venue's message.
    """

    def __delitem__(self, name: str) -> None:
        self.pop(name, None)


def _drop_rejected_futures(client: CcxtValue) -> None:
    """Replace a future that is done: ccxt keeps a rejected one, and raises the old error for ever."""
    make = client.future

    def future(name: str) -> CcxtValue:
        if name in client.futures and client.futures[name].done():
            del client.futures[name]
        made = make(name)
        made.remove_done_callback(_mark_retrieved)
        made.add_done_callback(_mark_retrieved)
        return made

    client.future = future


def _close_on_unreadable(client: CcxtValue) -> None:
    """End the connection at an unreadable message; ccxt would stop reading without an error."""
    handle = client.handle_message

    def handle_or_close(message: CcxtValue) -> None:
        if client.error is not None:
            return
        try:
            handle(message)
        except Exception as error:  # noqa: BLE001  # whatever a parser raises
            client.on_error(VenueUnreachable(f"a message could not be read ({type(error).__name__}: {error})"[:200]))

    client.handle_message = handle_or_close


def _mark_retrieved(future: CcxtValue) -> None:
    if not future.cancelled():
        future.exception()


def _network_error(text: str) -> Exception:
    errors = importlib.import_module("ccxt.base.errors")
    error: Exception = errors.ExchangeNotAvailable(text)
    return error
