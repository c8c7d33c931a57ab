"""Writes what happened to one order: its row, its fills, its position and its events, in one transaction."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from domain.core.clock import IdGenerator
from domain.execution.fee_rates import fee_rate, needs_rate
from domain.execution.log_events import order_events
from domain.model.events import NewEvent, UserEventKind
from domain.model.markets import Market
from domain.model.orders import Fill, Order
from domain.model.trading import Position
from domain.portfolio import positions
from domain.ports.execution_client import FillReport
from domain.ports.orders import MarketView
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.order_lifecycle import Step, apply_fill, fill_of


class OrderUpdate:
    """The changes of one order whose row is held; `finish` writes them.

    `counted` names the trades that are counted, by this transaction or before. The caller sees to it that no other
    transaction of the account records fills meanwhile: a position that isn't there yet has no row to be held.
    """

    def __init__(
        self, transaction: UnitOfWork, order: Order, market: Market, markets: MarketView, ids: IdGenerator, at: datetime
    ) -> None:
        self.order = order
        self.counted: list[str] = []
        self._read = order
        self._transaction = transaction
        self._market = market
        self._markets = markets
        self._ids = ids
        self._at = at
        self._events: list[NewEvent] = []
        self._position: Position | None = None
        self._price = order.average_price

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return self.order is not self._read

    def take(self, step: Step) -> None:
        """Go on from the order after `step`, and tell its events."""
        self.order = step.order
        self._events += order_events(step.events)

    async def count_fills(self, told: Iterable[FillReport]) -> None:
        """Count those fills that are new: in the order, and in its position."""
        fills = list(told)
        known = await self._known(fills)
        for venue_fill in fills:
            if venue_fill.venue_trade_id not in known:
                await self._count(venue_fill)
            self.counted.append(venue_fill.venue_trade_id)

    async def finish(self) -> None:
        """Write the order and its position as they are now, and append the events."""
        if not self.changed:
            return
        if self.order.status.is_final and self.order.filled_quantity:
            await self._sweep_dust()
        if self._position is not None:
            await self._save_position(self._position)
        self._transaction.orders.advance(self._read, self.order)
        self._transaction.events.append(self._events)

    async def _known(self, fills: Sequence[FillReport]) -> set[str]:
        """Return the trades that are stored, of those whose fee's worth would have to be looked up."""
        asked = [fill.venue_trade_id for fill in fills if needs_rate(fill, self._market)]
        if not asked:
            return set()
        orders, order = self._transaction.orders, self.order
        return {trade for trade, _ in await orders.recorded_trades(order.account_id, order.market, asked)}

    async def _count(self, venue_fill: FillReport) -> None:
        rate = await fee_rate(self._transaction, self._markets, venue_fill, self._market, self._at)
        fill = fill_of(self.order, venue_fill, self._ids.next_id(), rate)
        if await self._transaction.orders.add_fill(fill):
            self.take(apply_fill(self.order, fill, venue_fill.venue_order_id, self._at))
            await self._move_position(fill)

    async def _move_position(self, fill: Fill) -> None:
        before = self._position or await self._open_position()
        *closed, after = positions.apply_fill(before, fill, self._market, self._ids.next_id())
        for position in closed:
            await self._save_position(position)
        self._position, self._price = after, fill.price
        if after.closed_at is not None:
            await self._save_position(after)
            self._position = None

    async def _sweep_dust(self) -> None:
        position = self._position or await self._open_position()
        if position is None or self._price is None:
            return
        swept = positions.close_dust(position, self._market, self._price, self._at)
        if swept is not position:
            self._position = swept

    async def _open_position(self) -> Position | None:
        order = self.order
        return await self._transaction.positions.get_open_for_update(
            order.account_id, order.market, order.trading_session_id
        )

    async def _save_position(self, position: Position) -> None:
        await self._transaction.positions.save(position)
        self._events.append(NewEvent(position.user_id, self._at, UserEventKind.POSITION, position))
