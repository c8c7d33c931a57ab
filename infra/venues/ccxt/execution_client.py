"""The execution client of one account at one venue, by ccxt.pro."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

from domain.core.background import cancel_and_wait
from domain.core.clock import to_milliseconds
from domain.model.client_order_ids import is_engine_order_id
from domain.model.markets import MarketSymbol
from domain.model.orders import Order, OrderRole, OrderType, RejectCode, TimeInForce
from domain.model.trading import Balance, VenueCredentials
from domain.model.venue_abilities import AmendAbility
from domain.ports.execution_client import (
    FillReport,
    NotSent,
    OrderPair,
    OrderReport,
    ReplacementReport,
    SendGuard,
    VenueRefused,
    VenueReport,
)
from domain.ports.market_data import VenueUnreachable
from infra.venues.ccxt import conversion as convert
from infra.venues.ccxt.account_requests import AccountRequests, Request
from infra.venues.ccxt.account_stream import AccountStream, UserStreamTimings
from infra.venues.ccxt.cancel_replace import canceling_params, half_done_answer, replacement_report
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.ccxt.conversion import CcxtStructure, CcxtValue
from infra.venues.ccxt.errors import is_order_not_found
from infra.venues.ccxt.order_arguments import OrderArguments, order_arguments
from infra.venues.ccxt.order_lists import list_params, list_reports, report_of_canceled
from infra.venues.ccxt.profiles.plain import PLAIN
from infra.venues.rate_limit.rate_limiter import Priority, request_priority

log = logging.getLogger(__name__)

_UNSUPPORTED = RejectCode.UNSUPPORTED
_MARGIN = timedelta(seconds=10)
"""How much earlier than it was sent an order and its executions are looked for, since clocks differ."""


class CcxtExecutionClient:
    """`domain.ports.execution_client.ExecutionClient` with its own credentials over a shared connection."""

    def __init__(
        self,
        connection: VenueConnection,
        credentials: VenueCredentials,
        name: str,
        timings: UserStreamTimings | None = None,
    ) -> None:
        self._connection = connection
        self._name = name
        self._profile = connection.profile or PLAIN
        self._timings = timings or UserStreamTimings()
        self._requests = AccountRequests(connection, credentials)
        self._stream = AccountStream(connection, self._requests, self.balances, self.query_order, name, self._timings)
        self._readers: dict[asyncio.Task[None], asyncio.Queue[VenueReport | None]] = {}

    def __repr__(self) -> str:
        return f"CcxtExecutionClient(venue={self._connection.settings.name!r}, name={self._name!r})"

    @property
    def exchange(self) -> CcxtValue:
        """Ccxt's exchange object of the account; None before the first request."""
        return self._requests.exchange

    def venue_now(self) -> datetime:
        """Return the venue's time by the measured offset."""
        return self._connection.clock.now()

    def earliest_venue_now(self) -> datetime:
        """Return the earliest time that the venue's clock may show now."""
        return self._connection.clock.earliest()

    @property
    def absent_after_seconds(self) -> float:
        return self._profile.absent_after_seconds

    async def place(self, order: Order, guard: SendGuard) -> OrderReport:
        """Send the order once; raises `VenueRefused`, `OutcomeUnknown` or `NotSent`.

        Only if the venue has refused it for its time, and so has done nothing, it is sent again.
        """
        self._check_supported(order)
        arguments = order_arguments(order, self._venue_id_of(order), self._profile.placing_id)

        def create(exchange: CcxtValue) -> Awaitable[CcxtValue]:
            sent = self._with_override(order, arguments)
            created: Awaitable[CcxtValue] = exchange.create_order(
                sent.symbol, sent.type, sent.side, sent.amount, sent.price, sent.params
            )
            return created

        report = await self._requests.send(guard, create, lambda data: self._to_report(order, data))
        if not self._profile.answers_with_fills:
            self._stream.followed.add(order, asyncio.get_running_loop().time() + self._timings.follow_seconds)
        return report

    async def cancel(self, order: Order, guard: SendGuard) -> OrderReport | None:
        """Cancel by client order id; raises as `place`. None if the venue's answer doesn't contain the order."""

        def read(data: CcxtValue) -> OrderReport | None:
            if data.get("side"):
                return self._to_report(order, data)
            return report_of_canceled(self._requests.exchange, data, order)

        venue_order_id, params = await self._cancel_arguments(order)
        return await self._requests.send(
            guard,
            lambda exchange: exchange.cancel_order(venue_order_id, order.market.symbol, params),
            read,
            may_repeat=True,
        )

    def can_replace(self, market: MarketSymbol) -> bool:
        """Return whether the venue has Binance's `order/cancelReplace` for a market, as its `exchangeInfo` says."""
        exchange = self._requests.exchange
        if exchange is None or self._profile.amend is not AmendAbility.REPLACE:
            return False
        info = (exchange.markets.get(market.symbol) or {}).get("info") or {}
        return info.get("cancelReplaceAllowed") is True

    async def replace(self, replaced: Order, order: Order, guard: SendGuard) -> ReplacementReport:
        """Cancel an order of which nothing has filled, and place another, by one request; raises as `place`."""
        args = order_arguments(order, self._venue_id_of(order), self._profile.placing_id)

        def request(exchange: CcxtValue) -> Awaitable[CcxtValue]:
            placing = exchange.create_order_request(
                args.symbol, args.type, args.side, args.amount, args.price, args.params
            )
            answer: Awaitable[CcxtValue] = exchange.privatePostOrderCancelReplace(
                {**placing, **canceling_params(replaced)}
            )
            return answer

        def read(answer: CcxtValue) -> ReplacementReport:
            return replacement_report(self._requests.exchange, answer, replaced, order)

        return await self._requests.send(guard, _answered_by_errors(request), read)

    async def place_group(self, orders: OrderPair, guard: SendGuard) -> tuple[OrderReport, ...]:
        """Place two orders of which one ends the other, both or neither, by one request; raises as `place`."""
        for order in orders:
            self._check_supported(order)
        if not self._profile.order_lists:
            raise VenueRefused("Orders of which one ends the other aren't supported at this venue.", _UNSUPPORTED)

        def request(exchange: CcxtValue) -> Awaitable[CcxtValue]:
            answer: Awaitable[CcxtValue] = exchange.privatePostOrderListOco(list_params(exchange, orders))
            return answer

        return await self._requests.send(
            guard, request, lambda answer: list_reports(self._requests.exchange, answer, orders)
        )

    async def query_order(self, order: Order) -> OrderReport | None:
        """Query an order by its client order id, with its fills; None if the venue answers "no such order"."""
        try:
            with request_priority(Priority.TRADING):
                data = await self._find(order)
                if data is None:
                    return None
                report = self._to_report(order, data)
                fills = await self._order_fills(order, report) if report.filled_quantity else []
            return replace(report, fills=tuple(fills))
        except VenueUnreachable:
            raise
        except Exception as error:  # noqa: BLE001  # whatever ccxt raises
            raise self._requests.query_error(error) from None

    async def query_client_order_id(self, market: MarketSymbol, venue_order_id: str) -> str | None:
        """Return the client order id that the venue has with one of its orders; None if it has no such order."""
        try:
            with request_priority(Priority.TRADING):
                exchange = await self._requests.exchange_for_requests()
                data = await exchange.fetch_order(venue_order_id, market.symbol)
            return self._profile.reading.ids.from_venue(str(data.get("clientOrderId") or ""))
        except VenueUnreachable:
            raise
        except Exception as error:  # noqa: BLE001  # whatever ccxt raises
            if is_order_not_found(error):
                return None
            raise self._requests.query_error(error) from None

    async def fills(self, market: MarketSymbol, since: datetime) -> list[FillReport]:
        """Return the account's executions on a market since then, oldest first."""
        # What has just happened may be dated later than the measured clock shows.
        start, end = to_milliseconds(since), to_milliseconds(self.venue_now() + _MARGIN)

        async def collect(exchange: CcxtValue) -> list[CcxtStructure]:
            rows: dict[tuple[str, str], CcxtStructure] = {}
            async for page in self._profile.fill_pages(exchange, market.symbol, start, end):
                rows |= {(str(row["id"]), str(row["order"])): row for row in page}
            return [row for row in rows.values() if row["symbol"] == market.symbol and row["timestamp"] >= start]

        fills = await self._requests.query(collect, lambda rows: [convert.fill(market, row, None) for row in rows])
        return convert.sort_trades(fills)

    async def open_orders(self) -> list[OrderReport]:
        """Return the account's open orders at the venue."""
        return await self._requests.query(lambda exchange: exchange.fetch_open_orders(), self._order_reports)

    async def balances(self) -> tuple[Balance, ...]:
        """Return the balances that aren't zero."""
        return await self._requests.query(lambda exchange: exchange.fetch_balance(), convert.balances)

    async def reports(self) -> AsyncIterator[VenueReport]:
        """Yield the venue's reports on the account until `close`; reconnects by itself, and reports that too."""
        queue: asyncio.Queue[VenueReport | None] = asyncio.Queue()
        reader = asyncio.create_task(self._stream.run(queue.put_nowait), name=f"user-stream:{self._name}")
        self._readers[reader] = queue
        try:
            while (update := await queue.get()) is not None:
                yield update
        finally:
            self._readers.pop(reader, None)
            await cancel_and_wait(reader)

    async def close(self) -> None:
        """End the updates and close all connections."""
        readers, self._readers = dict(self._readers), {}
        for queue in readers.values():
            queue.put_nowait(None)
        await cancel_and_wait(*readers)
        await self._requests.close()

    def _venue_id_of(self, order: Order) -> str:
        return self._profile.reading.ids.for_venue(order.client_order_id)

    def _check_supported(self, order: Order) -> None:
        """Raise `VenueRefused` for what ccxt would send as another order than was asked for."""
        venue, profile = self._connection.settings.name, self._connection.profile
        if profile is None:
            message = f"The engine can't follow orders at {venue}, so it places none there."
            raise VenueRefused(message, RejectCode.UNSUPPORTED)
        in_force = order.time_in_force or TimeInForce.GTC
        if (OrderType.MARKET if order.type.trades_at_market else order.type) not in profile.order_types:
            raise VenueRefused(f"{order.type.value} can't be placed at this venue.", RejectCode.UNSUPPORTED)
        if order.type.has_price and in_force not in profile.times_in_force:
            raise VenueRefused(f"{in_force.value} isn't supported at this venue.", RejectCode.UNSUPPORTED)

    def _with_override(self, order: Order, arguments: OrderArguments) -> OrderArguments:
        override = self._profile.placing
        return arguments if override is None else override(order, arguments, self.venue_now())

    async def _cancel_arguments(self, order: Order) -> tuple[str | None, Mapping[str, str]]:
        """Return the venue's id, or the parameter with ours: an order of others is known by the venue's alone."""
        by_our_id = self._profile.cancel_id is not None and order.role is not OrderRole.FOREIGN
        if self._profile.cancel_id is not None and by_our_id:
            return None, {self._profile.cancel_id: self._venue_id_of(order)}
        if order.venue_order_id is not None:
            return order.venue_order_id, {}
        try:
            found = await self.query_order(order)
        except VenueUnreachable as error:
            raise NotSent(str(error)) from None
        if found is None:
            raise VenueRefused("The venue has no such order.")
        return found.venue_order_id, {}

    async def _find(self, order: Order) -> CcxtStructure | None:
        exchange = await self._requests.exchange_for_requests()
        try:
            return await self._profile.lookup(
                exchange, order, self._venue_id_of(order), to_milliseconds(self._sent_at_earliest(order))
            )
        except Exception as error:
            if is_order_not_found(error):
                return None
            raise

    async def _order_fills(self, order: Order, report: OrderReport) -> list[FillReport]:
        exchange, by_order = await self._requests.exchange_for_requests(), self._profile.order_fills
        if by_order is not None:
            params, limit = {by_order.parameter: report.venue_order_id}, by_order.page
            rows = await exchange.fetch_my_trades(order.market.symbol, None, limit, params)
            if len(rows) < limit:
                own = [row for row in rows if row["order"] == report.venue_order_id]
                return convert.sort_trades(convert.fill(order.market, row, order.client_order_id) for row in own)
        return [
            replace(fill, client_order_id=order.client_order_id)
            for fill in await self.fills(order.market, self._sent_at_earliest(order))
            if fill.venue_order_id == report.venue_order_id
        ]

    def _sent_at_earliest(self, order: Order) -> datetime:
        """Return when the order was sent at the earliest, by the venue's clock: as stored, if it is."""
        if order.venue_submitted_at is not None:
            return order.venue_submitted_at - _MARGIN
        offset = timedelta(seconds=self._connection.clock.offset_seconds)
        return (order.submitted_at or order.created_at) + offset - _MARGIN

    def _order_reports(self, orders: CcxtValue) -> list[OrderReport]:
        return [report for data in orders if (report := self._listed_order(data)) is not None]

    def _listed_order(self, data: CcxtStructure) -> OrderReport | None:
        """Return an order of a list; None for one of others that the engine can't express, such as one in quote."""
        market = MarketSymbol(self._connection.settings.name, data["symbol"])
        try:
            return convert.order(market, data, None, self._profile.reading)
        except ValueError as error:
            if is_engine_order_id(self._profile.reading.ids.from_venue(str(data.get("clientOrderId")))):
                raise
            log.info("an order of others on account %s is left out: %s", self._name, error)
            return None

    def _to_report(self, order: Order, data: Mapping[str, CcxtValue]) -> OrderReport:
        return convert.order(order.market, data, order, self._profile.reading)


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
