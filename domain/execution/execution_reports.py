"""Applies the execution reports of an account's venue: orders, fills and balances."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from cachetools import LRUCache

from domain.execution.account_context import AccountContext
from domain.execution.foreign_orders import ForeignOrders
from domain.execution.order_update import OrderUpdate
from domain.model.client_order_ids import is_engine_order_id
from domain.model.markets import MarketSymbol
from domain.model.order_transitions import IllegalTransition
from domain.model.orders import Order, OrderRole, OrderStatus
from domain.ports.execution_client import BalanceReport, FillReport, NotSent, OrderReport, OutcomeUnknown, VenueRefused
from domain.ports.orders import StaleOrder
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.missing_fills import await_fills
from domain.rules.order_lifecycle import apply_report, is_missing_fills

_TIME_STEP = timedelta(milliseconds=1)
"""The smallest difference of times that venues report."""

_MAXIMUM_VENUE_IDS = 10_000
"""How many orders are indexed by their venue's id; older orders are read from the database."""

_ENDED = frozenset({OrderStatus.CANCELED, OrderStatus.EXPIRED})
QueryLater = Callable[[UUID], None]
"""Called with the id of an order whose venue report counts more fills than we have."""


class ReportHandler:
    """Applies the venue's reports to the account's orders, however often and in whichever order they come."""

    def __init__(self, context: AccountContext, query_later: QueryLater, *, cancel_foreign: bool = False) -> None:
        self.balances_changed = False
        self.foreign_orders = ForeignOrders(context)
        self._context = context
        self._query_later = query_later
        self._cancel_foreign = cancel_foreign
        # Binance numbers orders per market, so an id alone may be that of two orders.
        self._by_venue_id: LRUCache[tuple[MarketSymbol, str], str] = LRUCache(_MAXIMUM_VENUE_IDS)

    async def on_order(self, report: OrderReport, *, complete: bool = False) -> Order | None:
        """Apply an order report and return the order after the change; None if the order isn't the engine's.

        `complete` means that the report answers a query for the order and all its fills: a final status is then
        applied even if fills are missing.
        """
        context = self._context
        if report.at is None:
            # Not by this node's clock: the time is compared with that of the venue's balances.
            report = replace(report, at=context.venue.venue_now())
        # The answer to a request and the stream report the same at the same time: the second finds it committed.
        await context.wait_idle()
        known = context.order_cache.get(self._client_order_id(report))
        if known is not None:
            after = await self._apply_to_cached(known, report)
            if after is not None:
                return after
        try:
            async with context.fenced_transaction() as transaction:
                order = await self._get_for_update(transaction, report)
                if order is not None:
                    update = context.order_update(transaction, order)
                    await self._apply(update, report, complete=complete)
                    context.write(transaction, [await update.step()])
        except IllegalTransition as illegal:
            message = f"{illegal}, as the venue reports; it was left as it is"
            await context.alerts.raise_alert(f"illegal:{illegal.order.id}", message)
            return illegal.order
        if order is None:
            await self._on_foreign_order(report)
            return None
        self._index(report.market, report.venue_order_id, order.client_order_id)
        await self._alert_of_revival(update)
        return update.order

    async def on_fill(self, report: FillReport) -> bool:
        """Add a fill to its order; return False if the engine doesn't know the order."""
        context = self._context
        if context.order_cache.has_fills(self._client_order_id(report), [report]):
            return True
        try:
            async with context.fenced_transaction() as transaction:
                order = await self._get_for_update(transaction, report)
                if order is None:
                    return False
                update = context.order_update(transaction, order)
                await update.add_fills([report])
                context.write(transaction, [await update.step()])
        except IllegalTransition as illegal:
            message = f"{illegal}, though the venue reports a fill"
            await context.alerts.raise_alert(f"illegal:{illegal.order.id}", message)
            return True
        await self._alert_of_revival(update)
        return True

    async def _alert_of_revival(self, update: OrderUpdate) -> None:
        if update.takes_back_a_rejection:
            order = update.order
            self._query_later(order.id)  # The report may have been an old one.
            message = f"The venue had rejected order {order.client_order_id}, and has it all the same. It is counted."
            await self._context.alerts.raise_alert(f"revived:{order.id}", message)

    async def on_balances(self, report: BalanceReport, *, complete_at: datetime | None = None) -> None:
        """Save those balances that aren't older than the stored ones.

        `complete_at` is the venue's time at which all balances were asked for: the account then holds nothing in any
        other currency, and what the venue reports with an earlier time, or without one, is as young as that. An answer
        may be from before whatever else happened in its millisecond, so it counts as older than that.
        """
        if complete_at is None:
            at = self._context.venue.earliest_venue_now()
            await self._context.upsert_balances([replace(each, at=each.at or at) for each in report.balances])
        else:
            balances = [
                replace(each, at=max((each.at or complete_at) - _TIME_STEP, complete_at)) for each in report.balances
            ]
            await self._context.replace_balances(balances, complete_at)
        self.balances_changed = self._context.is_active = True

    def index(self, order: Order) -> None:
        """Index the order by its venue's id, for fill reports without a client order id."""
        if order.venue_order_id is not None:
            self._index(order.market, order.venue_order_id, order.client_order_id)

    def _index(self, market: MarketSymbol, venue_order_id: str, client_order_id: str) -> None:
        self._by_venue_id[market, venue_order_id] = client_order_id

    def _client_order_id(self, report: OrderReport | FillReport) -> str:
        """Return the order's client order id, which some venues leave out; empty if it isn't known."""
        return report.client_order_id or self._by_venue_id.get((report.market, report.venue_order_id), "")

    async def _get_for_update(self, transaction: UnitOfWork, report: OrderReport | FillReport) -> Order | None:
        """Return the report's order with its row locked, however old it is; None if it isn't the engine's."""
        account_id, client_order_id = self._context.account.id, self._client_order_id(report)
        if client_order_id:
            order = await transaction.orders.get_for_update_by_client_id(account_id, client_order_id)
        else:
            venue_order_id = report.venue_order_id
            order = await transaction.orders.get_for_update_by_venue_id(account_id, report.market, venue_order_id)
            if order is not None:
                self.index(order)
        return order if order is not None and order.market == report.market else None

    async def _apply_to_cached(self, known: Order, report: OrderReport) -> Order | None:
        """Apply a report to a cached order without reading its row; None if that takes a transaction.

        Most reports of the stream repeat the answer to a request, and are ignored. An answer mostly has no fills, and
        is applied in one statement.
        """
        has_fills = self._context.order_cache.has_fills(known.client_order_id, report.fills)
        if not has_fills or is_missing_fills(known, report) or known.status is OrderStatus.REJECTED:
            return None
        try:
            transition = apply_report(known, report, self._context.clock.now())
            if not transition.events:
                return known
            # A final order with fills may leave dust of its position, which is closed in the same transaction.
            may_leave_dust = transition.order.status.is_final and transition.order.filled_quantity
            if report.fills or report.market != known.market or may_leave_dust:
                return None
            after = await self._context.advance(known, transition)
        except (IllegalTransition, StaleOrder):
            return None
        self._index(report.market, report.venue_order_id, known.client_order_id)
        return after

    async def _apply(self, update: OrderUpdate, report: OrderReport, *, complete: bool) -> None:
        await update.add_fills(report.fills)
        if is_missing_fills(update.order, report) and not complete:
            self._query_later(update.order.id)
            if report.status in _ENDED and not update.order.status.is_final:
                return  # A final status without its fills would be wrong, if only for a moment.
        now = self._context.clock.now()
        update.apply(apply_report(update.order, report, now, complete=complete))
        update.apply(await_fills(update.order, report, now))

    async def _on_foreign_order(self, report: OrderReport) -> None:
        if self._context.restored_to is not None and is_engine_order_id(report.client_order_id):
            return  # Whether it is this account's own, from before the database was restored, is about to be found out.
        if report.status in {OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED}:
            self.foreign_orders.notice_order(report)
            if self._cancel_foreign:
                await self._cancel_foreign_order(report)

    async def _cancel_foreign_order(self, report: OrderReport) -> None:
        """Cancel an order that isn't this account's, unless another account of this engine follows it."""
        account, client_order_id = self._context.account, report.client_order_id
        if is_engine_order_id(client_order_id):
            async with self._context.database.read_only() as reading:
                if await reading.orders.is_followed(account.venue, client_order_id):
                    return
        order = _foreign_order(self._context, report, self._context.clock.now())
        try:
            await self._context.venue.cancel(order, self._context.check_lease)
        except (VenueRefused, OutcomeUnknown, NotSent):
            return  # The next reconciliation finds it again if it is still there.


def _foreign_order(context: AccountContext, report: OrderReport, now: datetime) -> Order:
    return Order(
        id=context.ids.next_id(),
        user_id=context.account.user_id,
        account_id=context.account.id,
        market=report.market,
        client_order_id=report.client_order_id,
        side=report.side,
        type=report.type,
        role=OrderRole.FOREIGN,
        quantity=report.quantity,
        created_at=report.at or now,
        updated_at=now,
        status=report.status,
        price=report.price,
        stop_price=report.stop_price,
        venue_order_id=report.venue_order_id,
    )
