"""The streams of one account: opened, read, polled behind, and opened again, whichever way a venue breaks them."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from domain.core.background import TaskGroup
from domain.core.backoff import Backoff
from domain.core.wakeup import Wakeup
from domain.model.orders import Order, OrderType, TimeInForce
from domain.model.trading import Balance
from domain.model.venue_abilities import ReportSource
from domain.ports.execution_client import BalanceReport, OrderReport, StreamLost, StreamOpened, VenueReport
from domain.ports.market_data import VenueUnreachable
from infra.venues.ccxt.account_requests import AccountRequests
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.ccxt.conversion import CcxtValue
from infra.venues.ccxt.errors import describe
from infra.venues.ccxt.profiles.profile import VenueProfile
from infra.venues.ccxt.profiles.user_streams import BalancesChanged, StreamRefused, Subscribed, UserStreams
from infra.venues.ccxt.transport import close_for_good
from infra.venues.ccxt.user_stream import account_position, execution_report

log = logging.getLogger(__name__)

Emit = Callable[[VenueReport], None]

_IMMEDIATE = frozenset({TimeInForce.IOC, TimeInForce.FOK})
_MAXIMUM_LOOKS = 10
_MAXIMUM_FOLLOWED = 1_000


@dataclass(frozen=True, slots=True)
class UserStreamTimings:
    """When an account's streams count as broken, and how often is asked for what they don't report.

    The venue must confirm every subscription within `confirmed_within_seconds`, and send anything at least every
    `silent_after_seconds`. Reconnecting backs off further until a stream has stood for `steady_after_seconds`. An order
    of which the stream reports nothing is asked for after `follow_seconds`. What is polled is polled every
    `poll_seconds`; `least_gap_seconds` lie between two requests for balances that have changed.
    """

    confirmed_within_seconds: float = 15.0
    silent_after_seconds: float = 60.0
    steady_after_seconds: float = 10.0
    follow_seconds: float = 2.0
    poll_seconds: float = 30.0
    least_gap_seconds: float = 1.0


class FollowedOrders:
    """The orders whose answer was only that the venue has them, until the stream or a request reports more."""

    def __init__(self) -> None:
        self._orders: dict[str, tuple[Order, float, int]] = {}
        self._wakeup = Wakeup()

    def add(self, order: Order, at: float) -> None:
        """Follow an order from now on; `at` is when to ask for it, in monotonic seconds."""
        if len(self._orders) < _MAXIMUM_FOLLOWED:
            self._orders[order.client_order_id] = order, at, 0
            self._wakeup.set()

    def on_report(self, report: VenueReport) -> None:
        """Stop following an order once a report leaves nothing open: it has ended, or it rests as it should."""
        followed = self._orders.get(report.client_order_id) if isinstance(report, OrderReport) else None
        if followed is not None and isinstance(report, OrderReport):
            order = followed[0]
            rests = order.type is not OrderType.MARKET and order.time_in_force not in _IMMEDIATE
            if report.status.is_final or rests:
                del self._orders[order.client_order_id]

    async def next_due(self, delay_seconds: float) -> Order:
        """Return the next order to ask for, once it is due; it is due again after ever longer."""
        loop = asyncio.get_running_loop()
        while True:
            self._wakeup.clear()
            found = min(self._orders.values(), key=lambda each: each[1], default=None)
            if found is None:
                await self._wakeup.wait(None)
                continue
            order, at, looks = found
            if at > loop.time():
                await self._wakeup.wait(at - loop.time())
                continue
            self._orders[order.client_order_id] = order, loop.time() + delay_seconds * 2 ** (looks + 1), looks + 1
            if looks + 1 >= _MAXIMUM_LOOKS:
                del self._orders[order.client_order_id]
            return order


class AccountStream:
    """Emits the reports of one account for ever, and when its streams open and break."""

    def __init__(
        self,
        connection: VenueConnection,
        requests: AccountRequests,
        balances: Callable[[], Awaitable[tuple[Balance, ...]]],
        query_order: Callable[[Order], Awaitable[OrderReport | None]],
        name: str,
        timings: UserStreamTimings,
    ) -> None:
        self.followed = FollowedOrders()
        self._requests = requests
        self._balances = balances
        self._query_order = query_order
        self._connection = connection
        self._name = name
        self._timings = timings
        self._profile = connection.profile

    async def run(self, emit: Emit) -> None:
        """Open the streams, and again after each failure, until cancelled."""
        backoff = Backoff()
        while True:
            opened_at: float | None = None

            def on_report(report: VenueReport) -> None:
                nonlocal opened_at
                if isinstance(report, StreamOpened):
                    opened_at = asyncio.get_running_loop().time()
                self.followed.on_report(report)
                emit(report)

            try:
                await self._stream(on_report)
            except Exception as error:  # noqa: BLE001  # whatever ccxt raises, the stream is opened again
                cause = _first_cause(error)
                self._requests.query_error(cause)
                log.info("the stream of account %s broke: %s", self._name, describe(cause))
            if opened_at is not None:
                if asyncio.get_running_loop().time() - opened_at >= self._timings.steady_after_seconds:
                    backoff.reset()
                emit(StreamLost())
            await asyncio.sleep(backoff.next_delay())

    async def _stream(self, emit: Emit) -> None:
        if self._connection.settings.is_binance:
            await self._stream_binance(await self._requests.exchange_for_requests(), emit)
        elif self._profile is None or self._profile.reader is None:
            await self._reconcile_regularly(emit)
        else:
            await self._stream_by_profile(self._profile, self._profile.reader(self._connection.names), emit)

    async def _reconcile_regularly(self, emit: Emit) -> None:
        """Stand in for the streams of a venue without a profile: whatever changes is found by reconciling."""
        await self._requests.exchange_for_requests()
        while True:
            emit(StreamOpened())
            await asyncio.sleep(self._timings.poll_seconds)

    async def _stream_binance(self, exchange: CcxtValue, emit: Emit) -> None:
        changed = Wakeup()
        async with TaskGroup() as group:
            exchange.tap = lambda report: self._on_binance(exchange, report, emit, changed)
            group.create_task(self._poll_balances(None, changed, emit))
            await exchange.authenticate({"type": "spot"})
            emit(StreamOpened())
            # With a tap for reports it never returns: it raises when the stream ends.
            await exchange.watch_orders()

    def _on_binance(
        self, exchange: CcxtValue, report: Mapping[str, CcxtValue], emit: Emit, balances_changed: Wakeup
    ) -> None:
        if report["e"] == "executionReport":
            symbol = self._connection.symbol_by_venue_id(report["s"])
            if symbol is not None:
                emit(execution_report(report, symbol))
        elif report["e"] == "outboundAccountPosition":
            emit(account_position(report, exchange.safe_currency_code))
        else:
            # A deposit has only the difference, so the balances are fetched.
            balances_changed.set()

    async def _stream_by_profile(self, profile: VenueProfile, streams: UserStreams, emit: Emit) -> None:
        exchange = await self._requests.exchange_for_streams()
        messages = _Messages(streams, emit)
        exchange.stream_tap = messages.on_message
        try:
            async with TaskGroup() as group:
                for subscribe in profile.streams:
                    group.create_task(_subscribe(subscribe, exchange))
                group.create_task(messages.raise_when_refused())
                await messages.wait_until_confirmed(self._timings.confirmed_within_seconds)
                emit(StreamOpened())
                seconds = self._timings.poll_seconds if profile.balances is ReportSource.POLL else None
                group.create_task(self._poll_balances(seconds, messages.balances_changed, emit))
                group.create_task(self._look_after_orders(emit))
                await messages.wait_until_silent(self._timings.silent_after_seconds)
        finally:
            exchange.stream_tap = None
            await close_for_good(exchange)

    async def _poll_balances(self, seconds: float | None, changed: Wakeup, emit: Emit) -> None:
        """Fetch the balances when something has changed, and every so many seconds, if any are given."""
        while True:
            await changed.wait(seconds)
            changed.clear()
            try:
                emit(BalanceReport(await self._balances()))
            except VenueUnreachable as error:
                log.info("the balances of account %s can't be fetched now: %s", self._name, error)
                changed.set()
            await asyncio.sleep(self._timings.least_gap_seconds)

    async def _look_after_orders(self, emit: Emit) -> None:
        """Ask for orders of which the stream doesn't report what became of them."""
        while True:
            order = await self.followed.next_due(self._timings.follow_seconds)
            try:
                report = await self._query_order(order)
            except VenueUnreachable as error:
                log.info("order %s can't be asked for now: %s", order.id, error)
            else:
                if report is not None:
                    emit(report)


class _Messages:
    """What one connection's messages have shown so far."""

    def __init__(self, streams: UserStreams, emit: Emit) -> None:
        self.balances_changed = Wakeup()
        self._streams = streams
        self._emit = emit
        self._unconfirmed = set(streams.topics)
        self._confirmed = asyncio.Event()
        self._refused: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._refused.add_done_callback(_mark_retrieved)
        self._last_at = asyncio.get_running_loop().time()

    def on_message(self, message: CcxtValue) -> bool:
        """Read a message; return whether it was one of the account's reports, which are nothing for ccxt."""
        self._last_at = asyncio.get_running_loop().time()
        if not isinstance(message, Mapping):
            return False
        try:
            events = self._streams.read(message)
        except StreamRefused as refusal:
            self._refuse(refusal)
            return True
        except (KeyError, ValueError, TypeError, AttributeError, ArithmeticError, IndexError) as error:
            self._refuse(VenueUnreachable(f"a message could not be read ({type(error).__name__})"))
            return True
        for event in events or ():
            if isinstance(event, Subscribed):
                self._unconfirmed.discard(event.topic)
            elif isinstance(event, BalancesChanged):
                self.balances_changed.set()
            else:
                self._emit(event)
        if not self._unconfirmed:
            self._confirmed.set()
        return events is not None and not any(isinstance(event, Subscribed) for event in events)

    async def wait_until_confirmed(self, seconds: float) -> None:
        """Return when every subscription is confirmed; raises `VenueUnreachable` if that takes longer."""
        try:
            async with asyncio.timeout(seconds):
                await self._confirmed.wait()
        except TimeoutError:
            missing = ", ".join(sorted(self._unconfirmed))
            raise VenueUnreachable(f"the venue didn't confirm the subscription to {missing} in time") from None

    async def wait_until_silent(self, seconds: float) -> None:
        """Raise `VenueUnreachable` once the venue has sent nothing for `seconds`."""
        clock = asyncio.get_running_loop().time
        left = seconds
        while left > 0:
            await asyncio.sleep(left)
            left = self._last_at + seconds - clock()
        raise VenueUnreachable(f"the venue has sent nothing for {seconds:.0f} s")

    async def raise_when_refused(self) -> None:
        """Raise what the venue refuses the streams for, or why a message can't be read, once that happens."""
        await self._refused

    def _refuse(self, error: VenueUnreachable) -> None:
        if not self._refused.done():
            self._refused.set_exception(error)


async def _subscribe(subscribe: Callable[[CcxtValue], Awaitable[object]], exchange: CcxtValue) -> None:
    """Subscribe, and keep the subscription's call open: it raises when the connection ends."""
    while True:
        await subscribe(exchange)


def _mark_retrieved(future: asyncio.Future[None]) -> None:
    if not future.cancelled():
        future.exception()


def _first_cause(error: BaseException) -> Exception:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, Exception) else VenueUnreachable(type(error).__name__)
