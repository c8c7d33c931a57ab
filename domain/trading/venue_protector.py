"""Keeps protections as orders at the venue: places them, follows what they protect, and clears away what they outlive.

The engine goes on to watch each protection as the second line behind what rests.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from domain.core.errors import Unavailable
from domain.core.money import EXACT, ZERO
from domain.execution.commands import cancel_order, place_order, replace_order
from domain.model.client_order_ids import client_order_id
from domain.model.order_side import OrderSide
from domain.model.orders import CancelCode, Order, OrderRole, OrderStatus, OrderType
from domain.model.protection import PositionProtection, ProtectAt
from domain.model.trading import Position
from domain.model.venue_abilities import VenueAbilities
from domain.ports.leases import StaleLease
from domain.rules.direction import Direction
from domain.rules.order_amendment import AmendmentRequest, amended_order
from domain.rules.order_groups import without_rivals
from domain.rules.protection import Exit
from domain.rules.resting_protection import (
    RestingEnd,
    RestingPauses,
    RestingPlan,
    RestingStep,
    acts_by_itself,
    passed_cause,
    plan_resting,
    resting_end,
    resting_step,
)
from domain.trading.keeper_context import KeeperContext
from domain.trading.market_watch import WatchedProtection
from domain.trading.protection_updater import ProtectedAccount, is_about

log = logging.getLogger(__name__)

PRICE_AGE = timedelta(seconds=1)
"""How long before the venue's refusal of an order the market may have had a price that explains it."""
LONGEST_RETRY_SECONDS = 600.0
"""How long at most a protection that the venue refuses is kept by the engine alone before it is tried there again."""


@dataclass(slots=True)
class _Refusals:
    """How often in a row the venue has refused a protection, the last order of them, and when to try again."""

    order_id: UUID
    count: int
    next_at: float


class VenueProtector:
    """Brings what rests at the venue to what is to rest there; `watched` returns the state of a watched protection."""

    def __init__(
        self, context: KeeperContext, watched: Callable[[PositionProtection], WatchedProtection | None]
    ) -> None:
        self._context = context
        self._watched = watched
        pauses = (context.timings.resting_pause, context.timings.trailing_pause)
        self._pauses = RestingPauses(*(timedelta(seconds=seconds) for seconds in pauses))
        self._refusals: dict[UUID, _Refusals] = {}
        self._reached: dict[UUID, float] = {}
        """When the engine has seen the price of an order that rests, in monotonic seconds."""

    def __repr__(self) -> str:
        return f"VenueProtector({self._context.account.id}, refused={len(self._refusals)})"

    async def update(self, state: ProtectedAccount) -> bool:
        """Do the next step for each protection; return whether to look again soon."""
        open_ids = {protection.id for protection in state.protections}
        self._refusals = {key: value for key, value in self._refusals.items() if key in open_ids}
        self._reached = {key: value for key, value in self._reached.items() if key in open_ids}
        has_more = await self._clear(state, open_ids)
        kept = [protection for protection in state.protections if protection.protect_at is not ProtectAt.ENGINE]
        if not kept:
            return has_more
        abilities = await self._context.venues.abilities(self._context.account.venue)
        async with self._context.database.read_only() as reading:
            latest = await reading.orders.list_latest_of_protections([protection.id for protection in kept])
        left = {position.id: self._unsold(position, state) for position in state.positions}
        # The newest first: it is what the user has asked for last, and coins can rest for one alone.
        for protection in reversed(kept):
            own = [order for order in latest if order.protection_id == protection.id]
            try:
                has_more |= await self._update(protection, state, abilities, own, left)
            except (StaleLease, Unavailable):
                raise
            except Exception as error:  # noqa: BLE001  # of one protection, which must harm no other
                await self._context.report(protection, error)
        return has_more

    def waits_for_venue(self, watched: WatchedProtection, exit_: Exit, state: ProtectedAccount) -> bool:
        """Return whether an order that rests is given time to do what is due, before the engine does it itself."""
        protection, stop = watched.protection, watched.stop_price
        if not any(acts_by_itself(order, exit_.cause, stop) for order in state.resting(protection.id)):
            return False
        now = self._context.clock.monotonic()
        return now - self._reached.setdefault(protection.id, now) < self._context.timings.venue_exit_wait

    # -- what is to rest ---------------------------------------------------------------------------------------------

    async def _update(
        self,
        protection: PositionProtection,
        state: ProtectedAccount,
        abilities: VenueAbilities | None,
        latest: list[Order],
        left: dict[UUID, Decimal],
    ) -> bool:
        position, watched = state.position_of(protection), self._watched(protection)
        if position is None or position.quantity <= ZERO or watched is None or watched.due is not None:
            return False
        if not watched.market.active:
            return False  # Its venue takes no order and no cancel.
        if any(is_about(intent, protection) for intent in state.intents):
            return False
        held = left[position.id]
        quantity = held if protection.quantity is None else min(protection.quantity, held)
        plan = plan_resting(watched.state, quantity, watched.market, abilities)
        left[position.id] = EXACT.subtract(held, plan.quantity)
        active = state.resting(protection.id)
        if not active and not self._may_place(protection, plan, latest, watched):
            return await self._report(protection, latest)
        step = resting_step(plan, active, latest, self._age(latest), self._pauses)
        if step is RestingStep.REPLACE and resting_end(latest) is RestingEnd.REFUSED:
            step = step if self._is_due_again(protection, latest[-1]) else RestingStep.KEEP
        await self._carry_out(step, protection, plan, active, position, state)
        return protection.rules.trailing_stop is not None or step is not RestingStep.KEEP

    def _may_place(
        self, protection: PositionProtection, plan: RestingPlan, latest: list[Order], watched: WatchedProtection
    ) -> bool:
        """Return whether what has ended allows another try; an exit is due if the market has passed its price."""
        match resting_end(latest):
            case RestingEnd.NOTHING:
                self._refusals.pop(protection.id, None)
                return True
            case RestingEnd.PASSED:
                prices = self._prices_at(latest[-1].updated_at, watched)
                watched.due, watched.is_certain = Exit(passed_cause(plan, prices)), True
                return False
            case RestingEnd.DISMISSED:
                return False
            case RestingEnd.REFUSED:
                return self._is_due_again(protection, latest[-1])

    def _prices_at(self, at: datetime, watched: WatchedProtection) -> list[Decimal]:
        """Return the prices that the market has had since a moment of this node's clock, as far as they are known."""
        symbol, feed = watched.market.symbol, self._context.feed
        since = feed.venue_now(symbol.venue) - (self._context.clock.now() - at) - PRICE_AGE
        depth, trade = feed.latest_depth(symbol), watched.newest_trade
        prices = [trade.price] if trade is not None and trade.at >= since else []
        if depth is not None and depth.bids and depth.asks and (depth.venue_time or depth.received_at) >= since:
            prices.append((depth.bids[0].price + depth.asks[0].price) / 2)
        return prices

    def _is_due_again(self, protection: PositionProtection, order: Order) -> bool:
        now, known = self._context.clock.monotonic(), self._refusals.get(protection.id)
        if known is None or known.order_id != order.id:
            count = 1 if known is None else known.count + 1
            delay = min(2.0 ** (count - 1), LONGEST_RETRY_SECONDS)
            known = self._refusals[protection.id] = _Refusals(order.id, count, now + delay)
        return known.next_at <= now

    async def _report(self, protection: PositionProtection, latest: list[Order]) -> bool:
        """Alert once of what keeps a protection from resting at the venue; return whether it is tried again."""
        end = resting_end(latest)
        refusals = self._refusals.get(protection.id)
        if end is RestingEnd.DISMISSED:
            message = (
                f"The protection of a position on {protection.market} was cancelled at the venue, by hand or by "
                "the venue itself. The engine keeps it, for as long as it runs"
                f"{'.' if protection.trading_session_id is not None else '; positionProtect changes it.'}"
            )
        elif refusals is not None and refusals.count > 1 and protection.protect_at is ProtectAt.VENUE:
            message = (
                f"The protection of a position on {protection.market} can't rest at the venue: {_why(latest[-1])} The "
                "engine keeps it meanwhile, for as long as it runs, and tries again."
            )
        else:
            return end is not RestingEnd.NOTHING
        async with self._context.transaction() as unit_of_work:
            await self._context.alert(unit_of_work, f"resting:{protection.id}:{end.value}", message)
        return end is RestingEnd.REFUSED

    def _age(self, latest: list[Order]) -> timedelta:
        """Return how long ago the newest order was made; long ago if this node's clock was set back since."""
        age = self._context.clock.now() - latest[-1].created_at if latest else timedelta.max
        return timedelta.max if age < timedelta(0) else age

    def _unsold(self, position: Position, state: ProtectedAccount) -> Decimal:
        """Return what of a position no order but those of its protections is to sell already.

        Orders that aren't decided yet may be denied; but one by hand that waits for coins gets them.
        """
        by_others = (
            order.outstanding_quantity
            for order in state.orders
            if order.protection_id is None
            and _rests_for(order, position)
            and (order.status is not OrderStatus.PENDING or self._context.executor.expects_coins(order.id))
        )
        return max(EXACT.subtract(abs(position.quantity), sum(by_others, ZERO)), ZERO)

    # -- orders ------------------------------------------------------------------------------------------------------

    async def _carry_out(
        self,
        step: RestingStep,
        protection: PositionProtection,
        plan: RestingPlan,
        active: tuple[Order, ...],
        position: Position,
        state: ProtectedAccount,
    ) -> None:
        match step:
            case RestingStep.PLACE:
                others = without_rivals(order for order in state.orders if _rests_for(order, position))
                resting = sum((order.outstanding_quantity for order in others), ZERO)
                if EXACT.add(resting, plan.quantity) <= position.quantity:
                    await self._place(protection, plan)
            case RestingStep.REPLACE:
                await self._replace(active[0], plan)
            case RestingStep.CANCEL:
                await self._cancel(active)
            case RestingStep.QUERY:
                self._query(active)
            case RestingStep.KEEP:
                pass

    async def _place(self, known: PositionProtection, plan: RestingPlan) -> None:
        async with self._context.transaction() as unit_of_work:
            protection = await unit_of_work.protection.get_for_update(known.id)
            if protection is None or protection.ended_at is not None or protection.quantity != known.quantity:
                return
            orders = self._orders(protection, plan)
            for order in orders:
                await place_order(unit_of_work, order)
        for order in orders:
            self._context.executor.wake(order.id)

    def _orders(self, protection: PositionProtection, plan: RestingPlan) -> list[Order]:
        """Return the orders of a plan, the stop first; two of them in a group."""
        group_id = self._context.ids.next_id() if plan.is_pair else None
        prices = (
            (plan.role, OrderType.STOP, plan.stop_price),
            (OrderRole.TAKE_PROFIT, OrderType.TAKE_PROFIT, plan.profit_price),
        )
        return [
            self._order(protection, plan.quantity, role, type_, price, group_id)
            for role, type_, price in prices
            if price is not None
        ]

    def _order(
        self,
        protection: PositionProtection,
        quantity: Decimal,
        role: OrderRole,
        type_: OrderType,
        price: Decimal,
        group_id: UUID | None,
    ) -> Order:
        order_id, now = self._context.ids.next_id(), self._context.clock.now()
        return Order(
            id=order_id,
            user_id=protection.user_id,
            account_id=protection.account_id,
            market=protection.market,
            client_order_id=client_order_id(protection.account_id, "protection", str(order_id), role, 0),
            side=OrderSide.SELL,
            type=type_,
            role=role,
            quantity=quantity,
            created_at=now,
            updated_at=now,
            stop_price=price,
            reduce_only=True,
            trading_session_id=protection.trading_session_id,
            parent_id=protection.entry_order_id,
            protection_id=protection.id,
            group_id=group_id,
        )

    async def _replace(self, order: Order, plan: RestingPlan) -> None:
        """Amend the one order that rests: the venue does it in one request if it can."""
        stop_price = plan.profit_price if order.type is OrderType.TAKE_PROFIT else plan.stop_price
        request = AmendmentRequest(order.id, plan.quantity, stop_price=stop_price)
        new_id, now = self._context.ids.next_id(), self._context.clock.now()
        client_id = client_order_id(order.account_id, "protection", str(new_id), order.role, 0)
        async with self._context.transaction() as unit_of_work:
            locked = await unit_of_work.orders.get_for_update(order.id)
            if locked != order:
                return
            amendment = amended_order(request, locked, new_id, client_id, now)
            await replace_order(unit_of_work, locked, amendment, now, self._context.ids)
        self._context.executor.wake(new_id)

    async def _cancel(self, orders: tuple[Order, ...]) -> None:
        async with self._context.transaction() as unit_of_work:
            for order in sorted(orders, key=lambda order: order.id):
                locked = await unit_of_work.orders.get_for_update(order.id)
                if locked is not None:
                    await cancel_order(unit_of_work, locked, CancelCode.PROTECTION, self._context.clock.now())
        for order in orders:
            self._context.executor.wake(order.id)

    def _query(self, orders: tuple[Order, ...]) -> None:
        for order in orders:
            self._context.executor.query(order.id)

    async def _clear(self, state: ProtectedAccount, open_ids: set[UUID]) -> bool:
        """Cancel the orders of protections that have ended; those of a position that is closed are ending already."""
        orphans = [o for o in state.orders if o.protection_id is not None and o.protection_id not in open_ids]
        cancelable = tuple(o for o in orphans if o.cancel_requested_at is None)
        if cancelable:
            await self._cancel(cancelable)
        return bool(orphans)


def _rests_for(order: Order, position: Position) -> bool:
    is_of_owner = order.market == position.market and order.trading_session_id == position.trading_session_id
    is_waiting = order.is_held and order.triggered_at is None
    return is_of_owner and order.side is Direction.of(position.quantity).exit_side and not is_waiting


def _why(order: Order) -> str:
    if order.denials:
        return " ".join(denial.message for denial in order.denials)
    return f"{(order.reject_reason or f'the order ended {order.status.value}').rstrip('.')}."
