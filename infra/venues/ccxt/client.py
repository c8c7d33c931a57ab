"""ccxt's exchange objects with exact numbers, our clock and rate limiter, and connections that end instead of hang."""

import asyncio
import importlib
import logging
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field

from domain.model.trading import VenueCredentials
from infra.venues.ccxt.binance_depth import BinanceDepth
from infra.venues.ccxt.clock import VenueClock
from infra.venues.ccxt.conversion import CcxtValue
from infra.venues.ccxt.profiles.registry import profile_of
from infra.venues.ccxt.transport import SERVER_ERROR, TransportMixin, network_error
from infra.venues.config import UnknownVenue, VenueSettings
from infra.venues.rate_limit.ban import BANNED
from infra.venues.rate_limit.rate_limiter import RateLimiter
from infra.venues.rate_limit.usage import TOO_MANY_ORDERS, ResponseCounter

REQUEST_TIMEOUT_MS = 5_000
PING_EVERY_MS = 10_000
WEIGHT_PER_COST = 5
"""ccxt counts Binance's weights in units of its own throttle: 50 ms of 6,000 a minute."""

TOO_MUCH_WEIGHT = -1003
_ORDER_PATHS = frozenset({"order", "order/cancelReplace", "orderList/oco", "order/oco"})


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
            answer = await super().request(path, api, method, params, config)
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
        super().handle_message(client, message)

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
        client.on_error(network_error("the venue ended the user data stream"))

    def _forward(self, default: Callable[..., None], client: CcxtValue, message: Mapping[str, CcxtValue]) -> None:
        if self.tap is not None:
            self.tap(message)
        else:
            default(client, message)


@dataclass(slots=True)
class PrivateTurns:
    """The turns of the requests that one key signs, and the last number that it has signed."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    last_nonce: int = 0


class SerialTransport(TransportMixin):
    """For a venue that takes a key's requests in the order of their numbers alone: one is sent after the other."""

    turns: PrivateTurns
    enableLastHttpResponse = False  # noqa: N815  # ccxt's
    """Kraken's `cancel_order` takes the text of the last answer, whatever that was to, for the one to its request."""

    def incrementing_nonce(self) -> int:
        """Return the venue's time, or one more than the last number that was signed with this key."""
        self.turns.last_nonce = max(self.venue_clock.milliseconds(), self.turns.last_nonce + 1)
        return self.turns.last_nonce

    async def fetch2(self, path: str, api: CcxtValue = "public", *rest: CcxtValue, **named: CcxtValue) -> CcxtValue:
        """Sign and send a private request when the one before it has its answer."""
        if "private" not in api:
            return await super().fetch2(path, api, *rest, **named)  # type: ignore[misc]
        async with self.turns.lock:
            return await super().fetch2(path, api, *rest, **named)  # type: ignore[misc]


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
    profile = profile_of(settings.ccxt_id)
    is_serial = profile is not None and profile.serial_requests
    transport = BinanceTransport if settings.is_binance else SerialTransport if is_serial else TransportMixin
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
    exchange.turns = PrivateTurns()
    exchange.profile = profile_of(settings.ccxt_id)
    exchange.replaces_url = settings.url is not None
    if settings.url is not None:
        # ccxt waits for TLS connections to shut down; a sandbox has none.
        exchange.timeout_on_exit = 0
        # Reading the certificate authorities takes as long as a hundred requests.
        exchange.verify = not settings.url.startswith("http://")
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
    if (profile := profile_of(settings.ccxt_id)) is not None:
        config["options"] |= deepcopy(profile.options)
        if settings.url is not None:
            config["urls"] = {"api": profile.api_urls(settings.url.rstrip("/"))}
    if credentials is not None:
        config |= {"apiKey": credentials.api_key, "secret": credentials.secret, "password": credentials.passphrase}
    return config
