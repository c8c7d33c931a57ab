"""Collects the step of one order whose row is locked: what its fills make of it and of its position."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from domain.core.clock import IdGenerator
from domain.execution.fee_rates import fee_rate, needs_rate
from domain.execution.late_fills import watch_late_fill
from domain.execution.order_steps import OrderStep
from domain.model.events import NewEvent, UserEventKind
from domain.model.markets import Market
from domain.model.order_transitions import rejected_by_absence
from domain.model.orders import Fill, Order, OrderStatus
from domain.model.trading import Position
from domain.portfolio import positions
from domain.ports.execution_client import FillReport
from domain.ports.orders import MarketView
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.order_lifecycle import Transition, apply_fill, fill_from_report


class OrderUpdate:
    """Counts fills and applies transitions to an order, one after the other; `step` returns what came of it.

    The fills and the position are stored at once, the order with its events by who writes the step. The caller ensures
    that no other transaction of the account adds fills meanwhile: a position that doesn't exist yet has no row to lock.
    """

    def __init__(
        self, transaction: UnitOfWork, order: Order, market: Market, markets: MarketView, ids: IdGenerator, at: datetime
    ) -> None:
        self.order = order
        self._trade_ids: list[str] = []
        self._positions: list[Position] = []
        self._before = order
        self._transaction = transaction
        self._market = market
        self._markets = markets
        self._ids = ids
        self._at = at
        self._events: list[NewEvent] = []
        self._position: Position | None = None
        self._has_opened = False
        self._price = order.average_price

    @property
    def takes_back_a_rejection(self) -> bool:
        """Whether the venue had rejected the order, and has now reported that it has it."""
        before = self._before
        was_rejected = before.status is OrderStatus.REJECTED and not rejected_by_absence(before)
        return was_rejected and self.order.status is not OrderStatus.REJECTED

    def apply(self, transition: Transition) -> None:
        """Take the order and the events of a transition of `order`."""
        self.order = transition.order
        self._events += transition.log_events()

    async def add_fills(self, reports: Iterable[FillReport]) -> None:
        """Add those fills that aren't stored yet to the order and its position."""
        fills = list(reports)
        stored = await self._stored_trades(fills)
        for report in fills:
            if (report.venue_trade_id, report.venue_order_id) not in stored:
                await self._add_fill(report)
            self._trade_ids.append(report.venue_trade_id)

    async def step(self) -> OrderStep:
        """Return the step, once its position is stored as the step leaves it."""
        if self.order is not self._before:
            await self._finish_position()
        events, trade_ids, changed = tuple(self._events), tuple(self._trade_ids), tuple(self._positions)
        return OrderStep(self._before, self.order, events, trade_ids, changed)

    async def _finish_position(self) -> None:
        leaves_dust = positions.may_leave_dust(self.order.side, self.order.trading_session_id)
        if self.order.status.is_final and self.order.filled_quantity and leaves_dust:
            await self._close_dust()
        if self._position is not None:
            await self._save_position(self._position)
            if self._has_opened and not self.order.role.is_exit:
                await self._watch_late_fill(self._position)

    async def _stored_trades(self, fills: Sequence[FillReport]) -> set[tuple[str, str]]:
        """Return the stored ones of those trades whose fee would have to be converted at a price to be looked up."""
        trade_ids = [fill.venue_trade_id for fill in fills if needs_rate(fill, self._market)]
        if not trade_ids:
            return set()
        orders, order = self._transaction.orders, self.order
        return await orders.recorded_trades(order.account_id, order.market, trade_ids)

    async def _add_fill(self, report: FillReport) -> None:
        rate = await fee_rate(self._transaction, self._markets, report, self._market, self._at)
        fill = fill_from_report(self.order, report, self._ids.next_id(), rate)
        if await self._transaction.orders.add_fill(fill):
            self.apply(apply_fill(self.order, fill, report.venue_order_id, self._at))
            await self._apply_to_position(fill)

    async def _apply_to_position(self, fill: Fill) -> None:
        before = self._position or await self._open_position()
        after = positions.apply_fill(before, fill, self._market, self._ids.next_id())
        self._position, self._price = after, fill.price
        self._has_opened |= before is None or before.closed_at is not None
        if after is not None and after.closed_at is not None:
            await self._save_position(after)
            self._position, self._has_opened = None, False

    async def _close_dust(self) -> None:
        position = self._position or await self._open_position()
        if position is None or self._price is None:
            return
        closed = positions.close_dust(position, self._market, self._price, self._at)
        if closed is not position:
            self._position = closed

    async def _watch_late_fill(self, position: Position) -> None:
        had_ended = self._before.status.is_final
        self._events += await watch_late_fill(
            self._transaction, self.order, position, self._ids, self._at, had_ended=had_ended
        )

    async def _open_position(self) -> Position | None:
        order = self.order
        return await self._transaction.positions.get_open_for_update(
            order.account_id, order.market, order.trading_session_id
        )

    async def _save_position(self, position: Position) -> None:
        self._positions.append(position)
        await self._transaction.positions.save(position)
        self._events.append(NewEvent(position.user_id, self._at, UserEventKind.POSITION, position))
