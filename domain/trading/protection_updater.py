"""Brings the protections of an account up to the fills of their entry orders, and ends those without a position."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from domain.core.errors import Unavailable
from domain.core.money import EXACT, ZERO
from domain.model.markets import Market
from domain.model.orders import Order, OrderStatus
from domain.model.protection import PositionIntent, PositionProtection
from domain.model.trading import Position
from domain.ports.leases import StaleLease
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.direction import Direction
from domain.rules.protected_position import of_no_position, succeeding, with_fills
from domain.trading.hand_sales import count_sold_by_hand
from domain.trading.keeper_context import KeeperContext

UNFILLED_FOR = timedelta(minutes=10)
"""How long after the end of an entry order without a fill a late one may still come and be protected."""


@dataclass(frozen=True, slots=True)
class ProtectedAccount:
    """What is stored of the account: what protects its positions, what closes them, and the orders under way.

    `orders` are all active orders of the account, oldest first. `entries` are the entry orders of the protections, by
    id.
    """

    protections: tuple[PositionProtection, ...]
    intents: tuple[PositionIntent, ...]
    positions: tuple[Position, ...]
    orders: tuple[Order, ...]
    entries: dict[UUID, Order]

    def is_active(self, order_id: UUID) -> bool:
        """Return whether an order hasn't ended."""
        return any(order.id == order_id for order in self.orders)

    def resting(self, protection_id: UUID) -> tuple[Order, ...]:
        """Return the orders under way that keep a protection at the venue."""
        return tuple(order for order in self.orders if order.protection_id == protection_id)

    def position_of(self, protection: PositionProtection) -> Position | None:
        """Return the open position that the protection is of, or may be of once its entry is filled."""
        for position in self.positions:
            is_of_owner = (
                position.market == protection.market and position.trading_session_id == protection.trading_session_id
            )
            if is_of_owner and (protection.entry_order_id is not None or protection.position_id == position.id):
                return position
        return None

    def entry_of(self, protection: PositionProtection) -> Order | None:
        """Return the entry order whose fills the protection protects, if it is of one."""
        return None if protection.entry_order_id is None else self.entries.get(protection.entry_order_id)

    def has_position_of(self, intent: PositionIntent) -> bool:
        """Return whether the position that an intent names is still open; True if it names none."""
        return intent.position_id is None or any(position.id == intent.position_id for position in self.positions)

    def is_being_closed(self, protection: PositionProtection) -> bool:
        """Return whether an intent closes all that the protection protects."""
        return any(intent.quantity is None and is_about(intent, protection) for intent in self.intents)


class ProtectionUpdater:
    """Computes protections from the fills of their entries; `high_water` returns how far trades have moved a stop."""

    def __init__(self, context: KeeperContext, high_water: Callable[[PositionProtection], Decimal | None]) -> None:
        self._context = context
        self._high_water = high_water
        self._seen: dict[UUID, tuple[UUID, Decimal | None, int | None]] = {}
        """The position, its price and the entry's revision that each protection was last computed from."""
        self._counted: dict[UUID, tuple[Position, Decimal, tuple[UUID, ...]]] = {}
        """The position, the purchase and the other protections that each one's sales by hand were last counted from."""

    def __repr__(self) -> str:
        return f"ProtectionUpdater({self._context!r}, seen={len(self._seen)})"

    async def update(self, state: ProtectedAccount) -> bool:
        """Bring the protections up to the fills of their entry orders, and end those that have nothing to protect.

        Return whether any has changed.
        """
        has_changed = False
        open_ids = {protection.id for protection in state.protections}
        self._seen = {key: seen for key, seen in self._seen.items() if key in open_ids}
        self._counted = {key: counted for key, counted in self._counted.items() if key in open_ids}
        over = []
        for protection in state.protections:
            try:
                if protection.quantity is not None:
                    has_changed |= await self._count_resting(protection)
                if self._has_nothing(protection, state):
                    over.append(protection)
                else:
                    has_changed |= await self._grow_once(protection, state)
                    has_changed |= await self._count_by_hand_once(protection, state)
            except (StaleLease, Unavailable):
                raise
            except Exception as error:  # noqa: BLE001  # of one protection, which must harm no other
                await self._context.report(protection, error)
        return await self._end(over) or has_changed

    async def _count_resting(self, known: PositionProtection) -> bool:
        """Take off what the protection's orders at the venue have sold; return whether that was anything new."""
        async with self._context.database.read_only() as reading:
            if await reading.orders.filled_of_protection(known.id) == known.venue_filled:
                return False
        async with self._context.transaction() as unit_of_work:
            protection = await unit_of_work.protection.get_for_update(known.id)
            return protection is not None and await count_resting(unit_of_work, protection) is not protection

    async def _count_by_hand_once(self, known: PositionProtection, state: ProtectedAccount) -> bool:
        """Take off what was sold by hand since; end the protection of an entry of which that has left nothing."""
        position, entry = state.position_of(known), state.entry_of(known)
        if known.quantity is None or position is None or entry is None or known.position_id != position.id:
            return False
        others = tuple(row.id for row in state.protections if row.position_id == position.id)
        counted_from = (position, known.entry_quantity, others)
        if self._counted.get(known.id) == counted_from:
            return False
        async with self._context.transaction() as unit_of_work:
            protection = await unit_of_work.protection.get_for_update(known.id)
            if protection is None or protection.ended_at is not None:
                return False
            counted = await count_sold_by_hand(unit_of_work, protection, position)
            if counted is not protection:
                if not counted.quantity and entry.status.is_final and not entry.awaits_fills:
                    await self._save_ended(unit_of_work, counted)
                self._context.publish_position(unit_of_work, position, "sold by hand")
        self._counted[known.id] = counted_from
        return counted is not protection

    def _has_nothing(self, protection: PositionProtection, state: ProtectedAccount) -> bool:
        """Return whether there is nothing to protect, nor will be."""
        entry = state.entry_of(protection)
        if state.position_of(protection) is not None and (entry is None or entry.filled_quantity):
            return False
        return self._is_over(entry)

    async def _grow_once(self, protection: PositionProtection, state: ProtectedAccount) -> bool:
        position, entry = state.position_of(protection), state.entry_of(protection)
        if position is None or (entry is not None and not entry.filled_quantity):
            return False
        seen = (position.id, position.average_price, None if entry is None else entry.revision)
        market = self._context.feed.catalogue.get(protection.market)
        if market is None or self._seen.get(protection.id) == seen:
            return False
        is_entered = entry is None or (entry.status.is_final and not entry.awaits_fills)
        has_changed = await self._grow(protection, market, is_entered=is_entered)
        self._seen[protection.id] = seen
        return has_changed

    def _is_over(self, entry: Order | None) -> bool:
        """Return whether a protection without an open position will not get one any more."""
        if entry is None or not entry.status.is_final or entry.awaits_fills:
            return entry is None
        if entry.filled_quantity or entry.status is OrderStatus.DENIED:
            return True
        return self._context.clock.now() - entry.updated_at > UNFILLED_FOR

    async def _grow(self, known: PositionProtection, market: Market, *, is_entered: bool) -> bool:
        """Compute the protection from its fills again; return whether it changed.

        Fills from before the position was opened belong to one that is closed. If the order `is_entered`, so that no
        more can come, a protection without others ends.
        """
        async with self._context.transaction() as unit_of_work:
            protection = await unit_of_work.protection.get_for_update(known.id)
            if protection is None or protection.ended_at is not None:
                return False
            position = await unit_of_work.positions.get_open_for_update(
                protection.account_id, protection.market, protection.trading_session_id
            )
            if position is None:
                return False
            entry_id = protection.entry_order_id
            known_fills = [] if entry_id is None else await unit_of_work.orders.list_fills_of_order(entry_id)
            fills = [fill for fill in known_fills if fill.at >= position.opened_at]
            if entry_id is not None and not fills:
                return is_entered and await self._save_ended(unit_of_work, protection)
            if protection.position_id not in {None, position.id}:
                protection = of_no_position(protection)
            grown = with_fills(protection, position, fills, market, self._high_water(protection))
            if grown is protection:
                return False
            grown = await self._succeed_others(unit_of_work, grown, Direction.of(position.quantity))
            await unit_of_work.protection.save(grown)
            self._context.publish_position(unit_of_work, position, "protected")
        return True

    async def _succeed_others(
        self, unit_of_work: UnitOfWork, newest: PositionProtection, direction: Direction
    ) -> PositionProtection:
        """End older protections of a trading session's position: the newest entry's is that of all of it.

        It goes on from what they have seen: the partial targets that were reached, and the best price.
        """
        if newest.trading_session_id is None or newest.position_id is None:
            return newest
        for other in await unit_of_work.protection.list_of_positions([newest.position_id]):
            if other.id < newest.id and other.ended_at is None:
                await unit_of_work.protection.save(other.changed(ended_at=self._context.clock.now()))
                newest = succeeding(newest, other, self._high_water(other), direction)
        return newest

    async def _end(self, known: Sequence[PositionProtection]) -> bool:
        """End those protections, all in one transaction; return whether there were any."""
        if not known:
            return False
        async with self._context.transaction() as unit_of_work:
            return await unit_of_work.protection.end([one.id for one in known], self._context.clock.now()) > 0

    async def _save_ended(self, unit_of_work: UnitOfWork, protection: PositionProtection) -> bool:
        await unit_of_work.protection.save(protection.changed(ended_at=self._context.clock.now()))
        return True


async def count_resting(unit_of_work: UnitOfWork, protection: PositionProtection) -> PositionProtection:
    """Take off what the orders at the venue of a protection, whose row is locked, have sold, and return it."""
    if protection.quantity is None:
        return protection
    filled = await unit_of_work.orders.filled_of_protection(protection.id)
    if filled == protection.venue_filled:
        return protection
    left = max(EXACT.subtract(protection.quantity, EXACT.subtract(filled, protection.venue_filled)), ZERO)
    counted = protection.changed(quantity=left, venue_filled=filled)
    await unit_of_work.protection.save(counted)
    return counted


def is_about(intent: PositionIntent, protection: PositionProtection) -> bool:
    """Return whether an intent closes what the protection protects."""
    if intent.trading_session_id is not None:
        return (intent.market, intent.trading_session_id) == (protection.market, protection.trading_session_id)
    return intent.protection_id in {None, protection.id} and (
        (intent.market, None) == (protection.market, protection.trading_session_id)
    )
