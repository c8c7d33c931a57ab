"""One account at one venue by ccxt.pro."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TypeVar

from domain.core.backoff import Backoff
from domain.core.clock import to_milliseconds
from domain.model.markets import MarketSymbol
from domain.model.orders import Order
from domain.model.trading import Balance, VenueCredentials
from domain.ports.execution_client import (
    BalanceReport,
    FillReport,
    NotSent,
    OrderReport,
    OutcomeUnknown,
    SendGuard,
    StreamLost,
    StreamOpened,
    VenueRefused,
    VenueUpdate,
)
from domain.ports.market_data import VenueUnreachable
from infra.venues.ccxt import conversion as convert
from infra.venues.ccxt.client import SENDING, InFlightCommand
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.ccxt.errors import command_error, is_clock_error, question_error, reason, says_absent
from infra.venues.ccxt.order_arguments import placing
from infra.venues.ccxt.types import Ccxt
from infra.venues.ccxt.user_stream import account_position, execution_report
from infra.venues.rate_limit.rate_limiter import Priority, urgency

log = logging.getLogger(__name__)

MAX_FILLS_A_CALL = 1_000

T = TypeVar("T")
Asking = Callable[[Ccxt], Awaitable[Ccxt]]


class CcxtExecutionClient:
    """`domain.ports.execution_client.ExecutionClient` with credentials of its own over a connection that it shares."""

    def __init__(self, connection: VenueConnection, credentials: VenueCredentials, name: str) -> None:
        self._connection = connection
        self._credentials = credentials
        self._name = name
        self._exchange: Ccxt = None
        self._readers: dict[asyncio.Task[None], asyncio.Queue[VenueUpdate | None]] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"CcxtExecutionClient(venue={self._connection.settings.name!r}, name={self._name!r})"

    def venue_now(self) -> datetime:
        """Return the venue's time by the measured offset."""
        return self._connection.clock.now()

    async def place(self, order: Order, guard: SendGuard) -> OrderReport:
        """Send the order once; raises `VenueRefused`, `OutcomeUnknown` or `NotSent`."""
        asked = placing(order)

        def ask(exchange: Ccxt) -> Awaitable[Ccxt]:
            answer: Awaitable[Ccxt] = exchange.create_order(
                asked.symbol, asked.type, asked.side, asked.amount, asked.price, asked.params
            )
            return answer

        return await self._command(guard, ask, lambda told: _known(order, told))

    async def cancel(self, order: Order, guard: SendGuard) -> OrderReport | None:
        """Cancel by client order id; raises as `place`. None where the venue's answer doesn't show the order."""

        def ask(exchange: Ccxt) -> Awaitable[Ccxt]:
            answer: Awaitable[Ccxt] = exchange.cancel_order(
                order.venue_order_id, order.market.symbol, {"clientOrderId": order.client_order_id}
            )
            return answer

        def read(told: Ccxt) -> OrderReport | None:
            return _known(order, told) if told.get("side") else None

        return await self._command(guard, ask, read, may_repeat=True)

    async def find(self, order: Order) -> OrderReport | None:
        """Ask for an order by its client order id, its fills with it; None where the venue says "no such order"."""
        exchange = await self._ready()
        try:
            with urgency(Priority.TRADING):
                told = await exchange.fetch_order(None, order.market.symbol, {"clientOrderId": order.client_order_id})
                trades = await self._trades_of(exchange, told) if convert.number(told.get("filled")) else []
            return _known(order, {**told, "trades": trades})
        except VenueUnreachable:
            raise
        except Exception as error:  # noqa: BLE001  # whatever ccxt raises
            if says_absent(error):
                return None
            raise self._unanswered(error) from None

    async def fills(self, market: MarketSymbol, since: datetime) -> list[FillReport]:
        """Return the account's executions on a market since then, oldest first."""
        found: dict[str, FillReport] = {}
        start = to_milliseconds(since)
        while True:
            page = await self._question(
                partial(_my_trades, market, start), lambda rows: [convert.fill(market, row, None) for row in rows]
            )
            new = [each for each in page if each.venue_trade_id not in found]
            found |= {each.venue_trade_id: each for each in new}
            if len(page) < MAX_FILLS_A_CALL or not new:
                return convert.in_order(found.values())
            start = to_milliseconds(new[-1].at)

    async def open_orders(self) -> list[OrderReport]:
        """Return all that rests at the venue for this account."""
        return await self._question(lambda exchange: exchange.fetch_open_orders(), self._orders_of)

    async def balances(self) -> tuple[Balance, ...]:
        """Return what the account holds; currencies of which it holds nothing are left out."""
        return await self._question(lambda exchange: exchange.fetch_balance(), convert.balances)

    async def updates(self) -> AsyncIterator[VenueUpdate]:
        """Yield what the venue tells of the account until it is closed: reconnects by itself and says so."""
        inbox: asyncio.Queue[VenueUpdate | None] = asyncio.Queue()
        reading = asyncio.create_task(self._read(inbox.put_nowait), name=f"user-stream:{self._name}")
        self._readers[reading] = inbox
        try:
            while (update := await inbox.get()) is not None:
                yield update
        finally:
            self._readers.pop(reading, None)
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def close(self) -> None:
        """End the updates and let go of all connections."""
        self._closed = True
        readers, self._readers = dict(self._readers), {}
        for reading, inbox in readers.items():
            reading.cancel()
            inbox.put_nowait(None)
        await asyncio.gather(*readers, return_exceptions=True)
        if self._exchange is not None:
            await self._exchange.close()

    async def _ready(self) -> Ccxt:
        if self._closed:
            raise VenueUnreachable("the account's connection is closed")
        await self._connection.ready()
        if self._exchange is None:
            self._exchange = self._connection.new_account_exchange(self._credentials)
        return self._exchange

    async def _command(
        self, guard: SendGuard, ask: Asking, read: Callable[[Ccxt], T], *, may_repeat: bool = False
    ) -> T:
        try:
            exchange = await self._ready()
        except VenueUnreachable as error:
            raise NotSent(str(error)) from None
        sending = InFlightCommand(guard)
        token = SENDING.set(sending)
        try:
            with urgency(Priority.TRADING):
                return read(await ask(exchange))
        except NotSent:
            raise
        except VenueUnreachable as error:
            # Raised by the rate budget alone, before the request is made.
            raise NotSent(str(error)) from None
        except Exception as error:  # noqa: BLE001  # whatever ccxt raises, and an answer that can't be read
            raise self._outcome(error, left=sending.left, may_repeat=may_repeat) from None
        finally:
            SENDING.reset(token)

    def _outcome(self, error: Exception, *, left: bool, may_repeat: bool) -> VenueRefused | OutcomeUnknown:
        if is_clock_error(error):
            self._connection.clock.doubt()
            if may_repeat:
                # The timestamp was refused, and not what was asked: it is sent again once the clock was measured.
                return OutcomeUnknown(reason(error))
        return command_error(error, left=left)

    def _unanswered(self, error: Exception) -> VenueUnreachable:
        if is_clock_error(error):
            self._connection.clock.doubt()
        return question_error(error)

    async def _question(self, ask: Asking, read: Callable[[Ccxt], T]) -> T:
        exchange = await self._ready()
        try:
            return read(await ask(exchange))
        except VenueUnreachable:
            raise
        except Exception as error:  # noqa: BLE001  # whatever ccxt raises, or an answer that can't be read
            raise self._unanswered(error) from None

    async def _trades_of(self, exchange: Ccxt, told: Mapping[str, Ccxt]) -> list[Ccxt]:
        params = {"orderId": told["id"]} if self._connection.settings.is_binance else {}
        trades = await exchange.fetch_my_trades(told["symbol"], None, None, params)
        return [each for each in trades if each["order"] == told["id"]]

    def _market(self, symbol: str) -> MarketSymbol:
        return MarketSymbol(self._connection.settings.name, symbol)

    async def _read(self, emit: Callable[[VenueUpdate], None]) -> None:
        backoff = Backoff()
        while True:
            opened = False

            def note(update: VenueUpdate) -> None:
                nonlocal opened
                opened = opened or isinstance(update, StreamOpened)
                emit(update)

            try:
                await self._stream(note)
            except Exception as error:  # noqa: BLE001  # whatever ccxt raises, the stream is opened again
                cause = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
                self._unanswered(cause)
                log.info("the stream of account %s broke: %s", self._name, reason(cause))
            if opened:
                backoff.reset()
                emit(StreamLost())
            await asyncio.sleep(backoff.next_delay())

    async def _stream(self, emit: Callable[[VenueUpdate], None]) -> None:
        exchange = await self._ready()
        if self._connection.settings.is_binance:
            await self._stream_reports(exchange, emit)
        else:
            await self._stream_unified(exchange, emit)

    async def _stream_reports(self, exchange: Ccxt, emit: Callable[[VenueUpdate], None]) -> None:
        async with asyncio.TaskGroup() as group:
            exchange.tap = lambda report: self._take(report, emit, group)
            await exchange.authenticate({"type": "spot"})
            emit(StreamOpened())
            # With reports tapped it never returns: it raises when the stream ends.
            await exchange.watch_orders()

    def _take(self, report: Mapping[str, Ccxt], emit: Callable[[VenueUpdate], None], group: asyncio.TaskGroup) -> None:
        if report["e"] == "executionReport":
            symbol = self._connection.symbol_of(report["s"])
            if symbol is not None:
                emit(execution_report(report, symbol))
        elif report["e"] == "outboundAccountPosition":
            emit(account_position(report, self._exchange.safe_currency_code))
        else:
            # A deposit names only the difference, so the sum is asked for.
            group.create_task(self._ask_balances(emit))

    async def _ask_balances(self, emit: Callable[[VenueUpdate], None]) -> None:
        emit(BalanceReport(await self.balances()))

    async def _stream_unified(self, exchange: Ccxt, emit: Callable[[VenueUpdate], None]) -> None:
        emit(StreamOpened())
        async with asyncio.TaskGroup() as group:
            group.create_task(_watch(exchange.watch_orders, self._orders_told, emit))
            group.create_task(_watch(exchange.watch_my_trades, self._trades_told, emit))
            group.create_task(_watch(exchange.watch_balance, _balances_told, emit))

    def _orders_of(self, told: Ccxt) -> list[OrderReport]:
        return [convert.order(self._market(each["symbol"]), each) for each in told]

    def _orders_told(self, told: Ccxt) -> list[VenueUpdate]:
        return [*self._orders_of(told)]

    def _trades_told(self, told: Ccxt) -> list[VenueUpdate]:
        return [convert.fill(self._market(each["symbol"]), each, None) for each in told]


async def _watch(
    watch: Callable[[], Awaitable[Ccxt]], read: Callable[[Ccxt], list[VenueUpdate]], emit: Callable[[VenueUpdate], None]
) -> None:
    while True:
        for update in read(await watch()):
            emit(update)


def _balances_told(told: Ccxt) -> list[VenueUpdate]:
    return [BalanceReport(convert.balances(told))]


def _my_trades(market: MarketSymbol, start: int, exchange: Ccxt) -> Awaitable[Ccxt]:
    answer: Awaitable[Ccxt] = exchange.fetch_my_trades(market.symbol, start, MAX_FILLS_A_CALL)
    return answer


def _known(order: Order, told: Mapping[str, Ccxt]) -> OrderReport:
    return convert.order(order.market, told, order.client_order_id)
