"""What the engine puts in front of every class of ccxt: its clock, its rate limiter, and streams that end."""

import asyncio
import importlib
import json
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from aiohttp import WSMsgType

from domain.core.tracing import inner_span
from domain.ports.execution_client import SendGuard
from domain.ports.market_data import VenueUnreachable
from infra.venues.ccxt.clock import VenueClock
from infra.venues.ccxt.conversion import CcxtValue
from infra.venues.ccxt.errors import error_names, is_definite_rejection
from infra.venues.ccxt.profiles.profile import VenueProfile
from infra.venues.ccxt.profiles.verdicts import VenueError, Verdict
from infra.venues.rate_limit.ban import BAN_STATUSES, BANNED
from infra.venues.rate_limit.rate_limiter import RateLimiter
from infra.venues.rate_limit.usage import NO_ANSWER, OrderCountTracker, ResponseCounter

SERVER_ERROR = 500
FORBIDDEN = 403
DEADLINE_MS = 2_500
"""How much later than it was signed a venue may carry out a request, where a header says so."""

CLEANUP_SECONDS = 60.0
"""How often a connector of aiohttp looks for TLS connections that the venue doesn't end. It would every 2 s, for each
account, whether there are any or not."""

SHARED_TABLES = frozenset({"api", "exceptions", "fees", "httpExceptions"})
"""What ccxt knows of a venue that all exchange objects of the venue may hold in common."""

_TABLES = WeakKeyDictionary[type, dict[str, CcxtValue]]()

_CLASSES = {
    Verdict.REFUSED: "OperationRejected",
    Verdict.CLOCK: "InvalidNonce",
    Verdict.ABSENT: "OrderNotFound",
    Verdict.CREDENTIALS: "AuthenticationError",
    Verdict.UNKNOWN: "ExchangeNotAvailable",
}
_TOO_MUCH = frozenset({"RateLimitExceeded", "DDoSProtection"})


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
    id: str
    replaces_url: bool
    clients: dict[str, CcxtValue]
    tcp_connector: CcxtValue
    profile: VenueProfile | None = None
    stream_tap: Callable[[CcxtValue], bool] | None = None
    """Called with each message of a stream; returns whether the message is dealt with, and nothing for ccxt."""

    def describe(self) -> dict[str, CcxtValue]:
        """Return ccxt's description of the venue; its large tables, which nobody changes, are those of the class.

        An exchange object of Binance takes 40 kB so, and 250 kB with tables of its own.
        """
        description: dict[str, CcxtValue] = super().describe()  # type: ignore[misc]
        tables = _TABLES.setdefault(type(self), {name: description[name] for name in SHARED_TABLES})
        return description | tables

    def open(self, lazy: bool = False) -> None:
        """Open the session unless it is open."""
        super().open(lazy)  # type: ignore[misc]
        if self.tcp_connector is not None:
            self.tcp_connector._cleanup_closed_period = CLEANUP_SECONDS  # noqa: SLF001  # no other way

    def nonce(self) -> int:
        """Return the timestamp to sign: the venue's time."""
        return self.venue_clock.milliseconds()

    def milliseconds(self) -> int:
        """Return the venue's time, by which some venues have log-ins and tokens signed too."""
        return self.venue_clock.milliseconds()

    def seconds(self) -> int:
        """Return the venue's time in seconds."""
        return self.venue_clock.milliseconds() // 1000

    async def request(
        self, path: str, api: CcxtValue = "public", method: str = "GET", *rest: CcxtValue, **named: CcxtValue
    ) -> CcxtValue:
        """Make a request in a span; what no client, order or reconciliation waits for has none."""
        with inner_span(f"venue {method} {path}", venue=self.id):
            return await super().request(path, api, method, *rest, **named)  # type: ignore[misc]

    async def fetch(self, url: str, method: str = "GET", headers: object = None, body: object = None) -> CcxtValue:
        """Send the request; the guard is called last, when the timestamp is already signed."""
        command = IN_FLIGHT.get()
        if command is not None:
            command.guard()
            headers = self._with_deadline(headers)
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
        """Wait for the venue's rate limiter, which all accounts and feeds share, instead of ccxt's own.

        What costs nothing (Kraken's orders, which have limits of their own) waits for nothing but a ban.
        """
        weight = 1.0 if cost is None else float(cost)  # type: ignore[arg-type]
        if weight or self.rate_limiter.banned_seconds:
            await self.rate_limiter.acquire(weight)

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
            # Bybit bans an address for ten minutes or more with a 403.
            self.rate_limiter.on_rejected(BANNED if FORBIDDEN in statuses else 429, {}, str(error))

    def handle_errors(self, code: int | None, reason: str, *rest: CcxtValue) -> CcxtValue:
        """Raise an error by the venue's own codes, else by ccxt's reading of them.

        A 5xx is no answer, whatever its body: the outcome of an order is unknown then.
        """
        found = None if self.profile is None or code is None else self.profile.errors.verdict(code, _body(rest))
        if code is not None and code >= SERVER_ERROR:
            if found is not None and found[0] is Verdict.BUSY:
                self.rate_limiter.on_rejected(429, {}, found[1].message)
            raise network_error(f"the venue answered {code}")
        if found is None:
            return super().handle_errors(code, reason, *rest)  # type: ignore[misc]
        verdict, error = found
        raise venue_error(verdict, error, self._class_of_refusal(code, reason, *rest))

    def _class_of_refusal(self, code: int | None, reason: str, *rest: CcxtValue) -> type[Exception] | None:
        """Return ccxt's class of the error if it is one of refusals, since it may say why; else None."""
        try:
            super().handle_errors(code, reason, *rest)  # type: ignore[misc]
        except Exception as error:  # noqa: BLE001  # whatever ccxt raises
            return type(error) if is_definite_rejection(error) else None
        return None

    def _with_deadline(self, headers: object) -> object:
        name = None if self.profile is None else self.profile.deadline_header
        if name is None or not isinstance(headers, Mapping):
            return headers
        return {**headers, name: str(self.venue_clock.milliseconds() + DEADLINE_MS)}

    def handle_message(self, client: CcxtValue, message: CcxtValue) -> None:
        """Read a message of a stream: by the tap if it is one of the account's, else as ccxt does."""
        if self.stream_tap is None or not self.stream_tap(message):
            super().handle_message(client, message)  # type: ignore[misc]

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
            _answer_pings(client)
        return client

    def ws_dial_delay(self, url: str) -> float:  # noqa: ARG002  # ccxt's
        """Return no delay: the caller backs off between attempts."""
        return 0.0


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


def _answer_pings(client: CcxtValue) -> None:
    """Answer pings by a task whose failure isn't logged: the connection breaks, and its readers learn of that."""
    handle = client.handle_message

    def handle_or_answer(message: CcxtValue) -> None:
        if message.type is WSMsgType.PING:
            asyncio.ensure_future(client.connection.pong(message.data)).add_done_callback(_mark_retrieved)
        else:
            handle(message)

    client.handle_message = handle_or_answer


def _mark_retrieved(future: CcxtValue) -> None:
    if not future.cancelled():
        future.exception()


async def close_for_good(exchange: CcxtValue) -> None:
    """Close an exchange object that isn't used again: what ccxt left running opens no session that nobody closes."""
    await exchange.close()
    exchange.own_session = False
    if exchange.session is not None:
        await exchange.session.close()
        exchange.session = None
        await exchange.close_connector()


def network_error(text: str) -> Exception:
    """Return ccxt's error of a request without an answer."""
    errors = importlib.import_module("ccxt.base.errors")
    error: Exception = errors.ExchangeNotAvailable(text)
    return error


def venue_error(verdict: Verdict, error: VenueError, refusal: type[Exception] | None = None) -> Exception:
    """Return the error of ccxt that means `verdict`, of the class `refusal` for a refusal, with the venue's words."""
    errors = importlib.import_module("ccxt.base.errors")
    text = json.dumps({"msg": error.message, "code": error.code})
    if verdict is Verdict.BUSY:
        # A class of its own: ccxt's leaves open whether the request was carried out.
        raised: Exception = type("TooManyRequests", (errors.RateLimitExceeded,), {})(text)
    elif verdict is Verdict.REFUSED and refusal is not None:
        raised = refusal(text)
    else:
        raised = getattr(errors, _CLASSES[verdict])(text)
    return raised


def _body(rest: Sequence[CcxtValue]) -> object:
    """Return the parsed body among the arguments of ccxt's `handle_errors` after the reason."""
    return rest[4] if len(rest) > 4 else None  # noqa: PLR2004  # url, method, headers, text, body
