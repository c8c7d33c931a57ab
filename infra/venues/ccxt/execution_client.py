"""The execution client of one account at one venue, by ccxt.pro."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TypeVar

from domain.core.background import cancel_and_wait
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
    ReplacementReport,
    SendGuard,
    StreamLost,
    StreamOpened,
    VenueRefused,
    VenueReport,
)
from domain.ports.market_data import VenueUnreachable
from infra.venues.ccxt import conversion as convert
from infra.venues.ccxt.cancel_replace import canceling_params, half_done_answer, replacement_report
from infra.venues.ccxt.client import IN_FLIGHT, InFlightCommand
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.ccxt.conversion import CcxtValue
from infra.venues.ccxt.errors import command_error, describe, is_clock_error, is_order_not_found, query_error
from infra.venues.ccxt.user_stream import account_position, execution_report
from infra.venues.rate_limit.rate_limiter import Priority, request_priority

log = logging.getLogger(__name__)

MAX_FILLS_A_CALL = 1_000

T = TypeVar("T")
Request = Callable[[CcxtValue], Awaitable[CcxtValue]]
Emit = Callable[[VenueReport], None]


class CcxtExecutionClient:
    """`domain.ports.execution_client.ExecutionClient` with its own credentials over a shared connection."""

    def __init__(self, connection: VenueConnection, credentials: VenueCredentials, name: str) -> None:
        self._connection = connection
        self._credentials = credentials
        self._name = name
        self._exchange: CcxtValue = None
        self._readers: dict[asyncio.Task[None], asyncio.Queue[VenueReport | None]] = {}
        self._closed = False

    def __repr__(self) -> str:
        return f"CcxtExecutionClient(venue={self._connection.settings.name!r}, name={self._name!r})"

    @property
    def exchange(self) -> CcxtValue:
        """Ccxt's exchange object of the account; None before the first request."""
        return self._exchange

    def venue_now(self) -> datetime:
        """Return the venue's time by the measured offset."""
        return self._connection.clock.now()

    async def place(self, order: Order, guard: SendGuard) -> OrderReport:
        """Send the order once; raises `VenueRefused`, `OutcomeUnknown` or `NotSent`."""
        args = convert.order_arguments(order)
        return await self._send(
            guard,
            lambda exchange: exchange.create_order(
                args.symbol, args.type, args.side, args.amount, args.price, args.params
            ),
            lambda data: _to_report(order, data),
        )

    async def cancel(self, order: Order, guard: SendGuard) -> OrderReport | None:
        """Cancel by client order id; raises as `place`. None if the venue's answer doesn't contain the order."""

        def read(data: CcxtValue) -> OrderReport | None:
            return _to_report(order, data) if data.get("side") else None

        params = {"clientOrderId": order.client_order_id}
        return await self._send(
            guard,
            lambda exchange: exchange.cancel_order(order.venue_order_id, order.market.symbol, params),
            read,
            may_repeat=True,
        )

    def can_replace(self, market: MarketSymbol) -> bool:
        """Return whether the venue has Binance's `order/cancelReplace` for a market, as its `exchangeInfo` says."""
        if self._exchange is None or not self._connection.settings.is_binance:
            return False
        info = (self._exchange.markets.get(market.symbol) or {}).get("info") or {}
        return info.get("cancelReplaceAllowed") is True

    async def replace(self, replaced: Order, order: Order, guard: SendGuard) -> ReplacementReport:
        """Cancel an order of which nothing has filled, and place another, by one request; raises as `place`."""
        args = convert.order_arguments(order)

        def request(exchange: CcxtValue) -> Awaitable[CcxtValue]:
            placing = exchange.create_order_request(
                args.symbol, args.type, args.side, args.amount, args.price, args.params
            )
            answer: Awaitable[CcxtValue] = exchange.privatePostOrderCancelReplace(
                {**placing, **canceling_params(replaced)}
            )
            return answer

        def read(answer: CcxtValue) -> ReplacementReport:
            return replacement_report(self._exchange, answer, replaced, order)

        return await self._send(guard, _answered_by_errors(request), read)

    async def query_order(self, order: Order) -> OrderReport | None:
        """Query an order by its client order id, with its fills; None if the venue answers "no such order"."""
        exchange = await self._ensure_exchange()
        try:
            with request_priority(Priority.TRADING):
                data = await exchange.fetch_order(None, order.market.symbol, {"clientOrderId": order.client_order_id})
                trades = await self._order_trades(exchange, data) if convert.number(data.get("filled")) else []
            return _to_report(order, {**data, "trades": trades})
        except VenueUnreachable:
            raise
        except Exception as error:  # noqa: BLE001  # whatever ccxt raises
            if is_order_not_found(error):
                return None
            raise self._query_error(error) from None

    async def fills(self, market: MarketSymbol, since: datetime) -> list[FillReport]:
        """Return the account's executions on a market since then, oldest first."""
        fills: dict[str, FillReport] = {}
        start = to_milliseconds(since)
        while True:
            page = await self._query(
                partial(_my_trades, market, start), lambda rows: [convert.fill(market, row, None) for row in rows]
            )
            new = [fill for fill in page if fill.venue_trade_id not in fills]
            fills |= {fill.venue_trade_id: fill for fill in new}
            if len(page) < MAX_FILLS_A_CALL or not new:
                return convert.sort_trades(fills.values())
            start = to_milliseconds(new[-1].at)

    async def open_orders(self) -> list[OrderReport]:
        """Return the account's open orders at the venue."""
        return await self._query(lambda exchange: exchange.fetch_open_orders(), self._order_reports)

    async def balances(self) -> tuple[Balance, ...]:
        """Return the balances that aren't zero."""
        return await self._query(lambda exchange: exchange.fetch_balance(), convert.balances)

    async def reports(self) -> AsyncIterator[VenueReport]:
        """Yield the venue's reports on the account until `close`; reconnects by itself, and reports that too."""
        queue: asyncio.Queue[VenueReport | None] = asyncio.Queue()
        reader = asyncio.create_task(self._read_stream(queue.put_nowait), name=f"user-stream:{self._name}")
        self._readers[reader] = queue
        try:
            while (update := await queue.get()) is not None:
                yield update
        finally:
            self._readers.pop(reader, None)
            await cancel_and_wait(reader)

    async def close(self) -> None:
        """End the updates and close all connections."""
        self._closed = True
        readers, self._readers = dict(self._readers), {}
        for queue in readers.values():
            queue.put_nowait(None)
        await cancel_and_wait(*readers)
        if self._exchange is not None:
            await self._exchange.close()

    async def _ensure_exchange(self) -> CcxtValue:
        if self._closed:
            raise VenueUnreachable("the account's connection is closed")
        await self._connection.ensure_connected()
        if self._exchange is None:
            self._exchange = self._connection.new_account_exchange(self._credentials)
        return self._exchange

    async def _send(
        self, guard: SendGuard, request: Request, read: Callable[[CcxtValue], T], *, may_repeat: bool = False
    ) -> T:
        try:
            exchange = await self._ensure_exchange()
        except VenueUnreachable as error:
            raise NotSent(str(error)) from None
        command = InFlightCommand(guard)
        token = IN_FLIGHT.set(command)
        try:
            with request_priority(Priority.TRADING):
                return read(await request(exchange))
        except NotSent:
            raise
        except VenueUnreachable as error:
            # Only the rate limiter raises it, before the request is sent.
            raise NotSent(str(error)) from None
        except Exception as error:  # noqa: BLE001  # whatever ccxt raises, and an answer that can't be read
            raise self._outcome(error, may_have_left=command.may_have_left, may_repeat=may_repeat) from None
        finally:
            IN_FLIGHT.reset(token)

    def _outcome(self, error: Exception, *, may_have_left: bool, may_repeat: bool) -> VenueRefused | OutcomeUnknown:
        if is_clock_error(error):
            self._connection.clock.invalidate()
            if may_repeat:
                # Only the timestamp was rejected: the caller repeats the request after the clock was measured.
                return OutcomeUnknown(describe(error))
        return command_error(error, may_have_left=may_have_left)

    def _query_error(self, error: Exception) -> VenueUnreachable:
        if is_clock_error(error):
            self._connection.clock.invalidate()
        return query_error(error)

    async def _query(self, request: Request, read: Callable[[CcxtValue], T]) -> T:
        exchange = await self._ensure_exchange()
        try:
            return read(await request(exchange))
        except VenueUnreachable:
            raise
        except Exception as error:  # noqa: BLE001  # whatever ccxt raises, or an answer that can't be read
            raise self._query_error(error) from None

    async def _order_trades(self, exchange: CcxtValue, order: Mapping[str, CcxtValue]) -> list[CcxtValue]:
        params = {"orderId": order["id"]} if self._connection.settings.is_binance else {}
        trades = await exchange.fetch_my_trades(order["symbol"], None, None, params)
        return [trade for trade in trades if trade["order"] == order["id"]]

    def _market(self, symbol: str) -> MarketSymbol:
        return MarketSymbol(self._connection.settings.name, symbol)

    async def _read_stream(self, emit: Emit) -> None:
        backoff = Backoff()
        while True:
            opened = False

            def on_update(update: VenueReport) -> None:
                nonlocal opened
                opened = opened or isinstance(update, StreamOpened)
                emit(update)

            try:
                await self._stream(on_update)
            except Exception as error:  # noqa: BLE001  # whatever ccxt raises, the stream is opened again
                cause = error.exceptions[0] if isinstance(error, ExceptionGroup) else error
                self._query_error(cause)
                log.info("the stream of account %s broke: %s", self._name, describe(cause))
            if opened:
                backoff.reset()
                emit(StreamLost())
            await asyncio.sleep(backoff.next_delay())

    async def _stream(self, emit: Emit) -> None:
        exchange = await self._ensure_exchange()
        if self._connection.settings.is_binance:
            await self._stream_reports(exchange, emit)
        else:
            await self._stream_unified(exchange, emit)

    async def _stream_reports(self, exchange: CcxtValue, emit: Emit) -> None:
        async with asyncio.TaskGroup() as group:
            exchange.tap = lambda report: self._on_message(report, emit, group)
            await exchange.authenticate({"type": "spot"})
            emit(StreamOpened())
            # With a tap for reports it never returns: it raises when the stream ends.
            await exchange.watch_orders()

    def _on_message(self, report: Mapping[str, CcxtValue], emit: Emit, group: asyncio.TaskGroup) -> None:
        if report["e"] == "executionReport":
            symbol = self._connection.symbol_by_venue_id(report["s"])
            if symbol is not None:
                emit(execution_report(report, symbol))
        elif report["e"] == "outboundAccountPosition":
            emit(account_position(report, self._exchange.safe_currency_code))
        else:
            # A deposit has only the difference, so the balances are fetched.
            group.create_task(self._fetch_balances(emit))

    async def _fetch_balances(self, emit: Emit) -> None:
        emit(BalanceReport(await self.balances()))

    async def _stream_unified(self, exchange: CcxtValue, emit: Emit) -> None:
        emit(StreamOpened())
        async with asyncio.TaskGroup() as group:
            group.create_task(_watch(exchange.watch_orders, self._read_orders, emit))
            group.create_task(_watch(exchange.watch_my_trades, self._read_trades, emit))
            group.create_task(_watch(exchange.watch_balance, _read_balances, emit))

    def _order_reports(self, orders: CcxtValue) -> list[OrderReport]:
        return [convert.order(self._market(data["symbol"]), data) for data in orders]

    def _read_orders(self, orders: CcxtValue) -> list[VenueReport]:
        return [*self._order_reports(orders)]

    def _read_trades(self, trades: CcxtValue) -> list[VenueReport]:
        return [convert.fill(self._market(data["symbol"]), data, None) for data in trades]


async def _watch(
    watch: Callable[[], Awaitable[CcxtValue]],
    read: Callable[[CcxtValue], list[VenueReport]],
    emit: Emit,
) -> None:
    while True:
        for update in read(await watch()):
            emit(update)


def _answered_by_errors(request: Request) -> Request:
    """Return the request; an error that says which half of it was done is returned as its answer."""

    async def send(exchange: CcxtValue) -> CcxtValue:
        try:
            return await request(exchange)
        except Exception as error:
            answer = half_done_answer(error)
            if answer is None:
                raise
            return answer

    return send


def _read_balances(data: CcxtValue) -> list[VenueReport]:
    return [BalanceReport(convert.balances(data))]


def _my_trades(market: MarketSymbol, start: int, exchange: CcxtValue) -> Awaitable[CcxtValue]:
    answer: Awaitable[CcxtValue] = exchange.fetch_my_trades(market.symbol, start, MAX_FILLS_A_CALL)
    return answer


def _to_report(order: Order, data: Mapping[str, CcxtValue]) -> OrderReport:
    return convert.order(order.market, data, order.client_order_id)
