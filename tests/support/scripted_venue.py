"""A venue in memory that keeps orders as a venue does, and loses requests and answers by a script."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import Enum, auto

from domain.model.markets import MarketSymbol
from domain.model.orders import Order, OrderStatus, RejectCode
from domain.model.trading import Balance
from domain.ports.execution_client import (
    FillReport,
    OrderPair,
    OrderReport,
    OutcomeUnknown,
    ReplacementReport,
    SendGuard,
    StreamOpened,
    VenueRefused,
    VenueReport,
)
from domain.ports.market_data import VenueUnreachable

ENDED = {OrderStatus.FILLED, OrderStatus.CANCELED, OrderStatus.EXPIRED, OrderStatus.REJECTED}


class Fate(Enum):
    """What becomes of one request."""

    ANSWERED = auto()
    REFUSED = auto()
    LOST = auto()  # never arrives
    SWALLOWED = auto()  # arrives; its answer doesn't
    HANGS_BEFORE = auto()  # the sender dies before the bytes leave
    HANGS_AFTER = auto()  # the sender dies before it reads the answer
    REFUSED_AFTER_CANCEL = auto()  # of a replacement: the old order is cancelled, the new one refused


class ScriptedVenue:
    """Implements `ExecutionClient`; outlives the executors that use it, as a venue does.

    `fates`, `cancel_fates` and `replace_fates` are used up, one for each request. MARKET orders fill at 100 in `parts`
    fills. `received` has the client order id of every order that arrived; `unanswered` counts what was asked of the
    venue while it was unreachable.
    """

    def __init__(self) -> None:
        self.orders: dict[str, OrderReport] = {}
        self.received: list[str] = []
        self.sent = 0
        self.fates: deque[Fate] = deque()
        self.cancel_fates: deque[Fate] = deque()
        self.replace_fates: deque[Fate] = deque()
        self.replaces_at_once = False
        self.replacements = 0
        self.before_replacement: Callable[[], None] = lambda: None
        self.cancel_attempts = 0
        self.parts = 1
        self.publishes_on_stream = True
        self.answers_with_fills = True
        self.unreachable = False
        self.refusal: VenueUnreachable | None = None
        self.refusal_code = RejectCode.INSUFFICIENT_BALANCE
        self.query_count = 0
        self.unanswered = 0
        self.owner_queries: list[str] = []
        self.clock_ahead = timedelta(0)
        self.clock_error = timedelta(0)
        self.queried_since: list[datetime] = []
        self.hanging = asyncio.Event()
        self.holdings = (Balance("USDT", Decimal(100_000), Decimal(100_000)), Balance("BTC", Decimal(10), Decimal(10)))
        self._inbox: asyncio.Queue[VenueReport] = asyncio.Queue()
        self._trades = 0

    async def place(self, order: Order, guard: SendGuard) -> OrderReport:
        guard()
        self.sent += 1
        fate = self.fates.popleft() if self.fates else Fate.ANSWERED
        if fate is Fate.REFUSED:
            raise VenueRefused("insufficient balance", self.refusal_code)
        if fate is Fate.LOST:
            raise OutcomeUnknown("no answer within 10 s")
        if fate is Fate.HANGS_BEFORE:
            await self._hang()
        self.receive(order)
        if fate is Fate.SWALLOWED:
            raise OutcomeUnknown("the connection broke")
        if fate is Fate.HANGS_AFTER:
            await self._hang()
        report = self.orders[order.client_order_id]
        return report if self.answers_with_fills else replace(report, fills=())

    async def place_group(self, orders: OrderPair, guard: SendGuard) -> tuple[OrderReport, ...]:
        guard()
        self.sent += 1
        fate = self.fates.popleft() if self.fates else Fate.ANSWERED
        if fate is Fate.REFUSED:
            raise VenueRefused("stop price would trigger immediately", self.refusal_code)
        if fate is Fate.LOST:
            raise OutcomeUnknown("no answer within 10 s")
        if fate is Fate.HANGS_BEFORE:
            await self._hang()
        for order in orders:
            self.receive(order)
        if fate is Fate.SWALLOWED:
            raise OutcomeUnknown("the connection broke")
        if fate is Fate.HANGS_AFTER:
            await self._hang()
        return tuple(self.orders[order.client_order_id] for order in orders)

    async def cancel(self, order: Order, guard: SendGuard) -> OrderReport | None:
        self.cancel_attempts += 1
        guard()
        fate = self.cancel_fates.popleft() if self.cancel_fates else Fate.ANSWERED
        if fate is Fate.LOST:
            raise OutcomeUnknown("no answer within 10 s")
        if fate is Fate.HANGS_BEFORE:
            await self._hang()
        known = self.orders.get(order.client_order_id)
        if fate is Fate.REFUSED or known is None or known.status in ENDED:
            raise VenueRefused("unknown order")
        self.end(order.client_order_id, OrderStatus.CANCELED)
        if fate is Fate.SWALLOWED:
            raise OutcomeUnknown("the connection broke")
        if fate is Fate.HANGS_AFTER:
            await self._hang()
        return self.orders[order.client_order_id]

    def can_replace(self, market: MarketSymbol) -> bool:
        return self.replaces_at_once and bool(market)

    async def replace(self, replaced: Order, order: Order, guard: SendGuard) -> ReplacementReport:
        guard()
        self.replacements += 1
        fate = self.replace_fates.popleft() if self.replace_fates else Fate.ANSWERED
        if fate is Fate.LOST:
            raise OutcomeUnknown("no answer within 10 s")
        if fate is Fate.HANGS_BEFORE:
            await self._hang()
        self.before_replacement()
        known = self.orders.get(replaced.client_order_id)
        if fate is Fate.REFUSED or known is None or known.status is not OrderStatus.OPEN:
            raise VenueRefused("the order was not cancelled due to cancel restrictions")
        self.end(replaced.client_order_id, OrderStatus.CANCELED)
        canceled = self.orders[replaced.client_order_id]
        if fate is Fate.REFUSED_AFTER_CANCEL:
            return ReplacementReport(canceled, None, VenueRefused("insufficient balance"))
        self.receive(order)
        if fate is Fate.SWALLOWED:
            raise OutcomeUnknown("the connection broke")
        if fate is Fate.HANGS_AFTER:
            await self._hang()
        return ReplacementReport(canceled, self.orders[order.client_order_id])

    async def query_order(self, order: Order) -> OrderReport | None:
        self._require_reachable()
        self.query_count += 1
        return self.orders.get(order.client_order_id)

    async def query_client_order_id(self, market: MarketSymbol, venue_order_id: str) -> str | None:
        self._require_reachable()
        self.owner_queries.append(venue_order_id)
        ids = {(report.market, report.venue_order_id): report.client_order_id for report in self.orders.values()}
        return ids.get((market, venue_order_id))

    async def fills(self, market: MarketSymbol, since: datetime) -> list[FillReport]:
        self._require_reachable()
        self.queried_since.append(since)
        fills = [fill for report in self.orders.values() for fill in report.fills if report.market == market]
        return [replace(fill, client_order_id=None) for fill in fills if fill.at >= since]

    async def open_orders(self) -> list[OrderReport]:
        self._require_reachable()
        return [replace(report, fills=()) for report in self.orders.values() if report.status not in ENDED]

    async def balances(self) -> tuple[Balance, ...]:
        self._require_reachable()
        return self.holdings

    async def reports(self) -> AsyncIterator[VenueReport]:
        self._inbox = asyncio.Queue()
        yield StreamOpened()
        while True:
            yield await self._inbox.get()

    absent_after_seconds = 0.0

    def venue_now(self) -> datetime:
        return datetime.now(UTC) + self.clock_ahead

    def earliest_venue_now(self) -> datetime:
        return self.venue_now() - self.clock_error

    async def close(self) -> None:
        pass

    def publish(self, *updates: VenueReport) -> None:
        """Publish reports on the account's stream."""
        for update in updates:
            self._inbox.put_nowait(update)

    def fill(self, client_order_id: str, quantity: object, price: object = "100") -> FillReport:
        """Execute part of an order, and report that on the stream."""
        report, size = self.orders[client_order_id], Decimal(str(quantity))
        self._trades += 1
        fill = FillReport(
            market=report.market,
            venue_order_id=report.venue_order_id,
            client_order_id=client_order_id,
            venue_trade_id=f"t{self._trades}",
            at=self.venue_now(),
            side=report.side,
            price=Decimal(str(price)),
            quantity=size,
            fee=Decimal(0),
            fee_currency="USDT",
            maker=False,
        )
        filled = report.filled_quantity + size
        status = OrderStatus.FILLED if filled == report.quantity else OrderStatus.PARTIALLY_FILLED
        status = report.status if report.status in ENDED else status
        report = replace(report, filled_quantity=filled, status=status, fills=(*report.fills, fill))
        self.orders[client_order_id] = report
        if self.publishes_on_stream:
            self.publish(replace(report, fills=(fill,)))
        return fill

    def end(self, client_order_id: str, status: OrderStatus) -> None:
        """End an order, and report that on the stream."""
        report = replace(self.orders[client_order_id], status=status)
        self.orders[client_order_id] = report
        if self.publishes_on_stream:
            self.publish(replace(report, fills=()))

    def receive(self, order: Order) -> None:
        self.received.append(order.client_order_id)
        report = OrderReport(
            market=order.market,
            client_order_id=order.client_order_id,
            venue_order_id=f"v{len(self.received)}",
            status=OrderStatus.OPEN,
            side=order.side,
            type=order.type,
            quantity=order.quantity,
            filled_quantity=Decimal(0),
            price=order.price,
            stop_price=order.stop_price,
            at=self.venue_now(),
        )
        self.orders[order.client_order_id] = report
        if self.publishes_on_stream:
            self.publish(report)
        if order.type.trades_at_market:
            for _ in range(self.parts):
                self.fill(order.client_order_id, order.quantity / self.parts)

    def _require_reachable(self) -> None:
        if self.refusal is not None:
            raise self.refusal
        if self.unreachable:
            self.unanswered += 1
            raise VenueUnreachable("no answer within 10 s")

    async def _hang(self) -> None:
        self.hanging.set()
        await asyncio.Event().wait()
