"""Carries out the intent to close a position: one order after another, until nothing of it is left."""

import logging
from decimal import Decimal
from uuid import UUID

from domain.core.money import EXACT, ZERO, plain
from domain.execution.commands import place_order
from domain.model.client_order_ids import client_order_id
from domain.model.markets import Market
from domain.model.orders import Order, OrderStatus, OrderType, RejectCode, RiskCode
from domain.model.protection import PositionIntent
from domain.model.trading import Balance, Position
from domain.portfolio.positions import close_dust, is_dust
from domain.ports.unit_of_work import UnitOfWork
from domain.rules.direction import Direction
from domain.rules.refused_cancels import awaited_end
from domain.trading.closing import PositionClosing, load_closing
from domain.trading.exit_obstacles import ExitObstacles
from domain.trading.exit_plan import ExitPlan, has_lots, orders_to_release, plan_exit
from domain.trading.exit_retry import PATIENT_AFTER, is_late, retry_delay
from domain.trading.keeper_context import KeeperContext

log = logging.getLogger(__name__)

MISSING_SEEN = 2
"""How often the venue has to say that coins are gone: right after a fill its balances may lag behind."""

_FOR_BALANCES = "It waits for the venue to say what the account holds."
_GONE = "they were sold, withdrawn or spent on fees elsewhere"
_UNTOLD = "the venue counts them as sold, and has never told the trades"

_REFUSED = frozenset({OrderStatus.DENIED, OrderStatus.REJECTED})


def internal_error_key(intent: PositionIntent) -> str:
    """Return the key of the alert that the engine itself has failed to carry out an intent."""
    return f"exit-error:{intent.id}"


class PositionCloser:
    """Places the orders of an account's intents; everything that it knows is in the rows.

    Each try is an order with an ordinal of its own. One that closed nothing is followed by another after a pause; from
    the first that was refused on the user is alerted.
    """

    def __init__(self, context: KeeperContext) -> None:
        self._context = context
        self._obstacles = ExitObstacles(context)

    def __repr__(self) -> str:
        return f"PositionCloser({self._context!r})"

    async def advance(self, intent: PositionIntent) -> None:
        """Do the next step of an intent whose last order, if it had one, isn't active any more."""
        lacks_balance = intent.order_id is not None and await self._settle_last_order(intent.id)
        has_to_know = lacks_balance or intent.missing > 0
        balances_known = has_to_know and await self._context.executor.refresh_balances()
        async with self._context.transaction() as unit_of_work:
            locked = await unit_of_work.protection.get_intent_for_update(intent.id)
            if locked is None or locked.ended_at is not None or locked.order_id is not None:
                return
            closing = await load_closing(unit_of_work, locked)
            is_due = closing.position is None or is_late(locked, self._context.clock.now())
            if not is_due and not (balances_known and locked.failures <= MISSING_SEEN):
                return
            order_id = await self._next_step(unit_of_work, closing, by_balance=balances_known)
        self._context.executor.wake(order_id)

    async def drop(self, intent: PositionIntent) -> None:
        """End an intent that another one has made pointless."""
        async with self._context.transaction() as unit_of_work:
            locked = await unit_of_work.protection.get_intent_for_update(intent.id)
            if locked is not None and locked.ended_at is None:
                await self._end(unit_of_work, locked)

    # -- what became of the last order -------------------------------------------------------------------------------

    async def _settle_last_order(self, intent_id: UUID) -> bool:
        """Count what the last order has closed; return whether it was refused because too little was there."""
        async with self._context.transaction() as unit_of_work:
            intent = await unit_of_work.protection.get_intent_for_update(intent_id)
            if intent is None or intent.ended_at is not None or intent.order_id is None:
                return False
            (order,) = await unit_of_work.orders.get_many([intent.order_id])
            if not order.status.is_final or order.awaits_fills:
                return False
            intent = intent.changed(order_id=None, sold=EXACT.add(intent.sold, order.executed_quantity))
            if order.executed_quantity:
                await self._reduce_protection(unit_of_work, intent, order.executed_quantity)
                await unit_of_work.protection.save_intent(intent.changed(failures=0, next_try_at=None))
                return False
            lacks_balance = _lacks_balance(order)
            silent = MISSING_SEEN if lacks_balance else int(order.status not in _REFUSED)
            await self._record_failure(unit_of_work, intent, _refusal(order), silent=silent)
        return lacks_balance

    async def _reduce_protection(self, unit_of_work: UnitOfWork, intent: PositionIntent, sold: Decimal) -> None:
        if intent.protection_id is None:
            return
        protection = await unit_of_work.protection.get_for_update(intent.protection_id)
        if protection is not None and protection.quantity is not None:
            left = max(EXACT.subtract(protection.quantity, sold), ZERO)
            await unit_of_work.protection.save(protection.changed(quantity=left))

    async def _record_failure(
        self, unit_of_work: UnitOfWork, intent: PositionIntent, refusal: str, *, silent: int = 0
    ) -> None:
        """Store that nothing was closed, and when it is tried again; alert of it once, after `silent` failures."""
        failures = intent.failures + 1
        failed = intent.changed(
            failures=failures,
            last_refusal=refusal,
            next_try_at=self._context.clock.now() + retry_delay(failures),
            waits_for=None,
        )
        await unit_of_work.protection.save_intent(failed)
        if failures > silent:
            message = (
                f"A position on {intent.market} can't be closed ({intent.role.value}: {intent.reason}) {refusal} "
                "It is tried again until it is closed."
            )
            await self._context.alert(unit_of_work, _failure_key(intent), message)

    # -- the next order ----------------------------------------------------------------------------------------------

    async def _next_step(self, unit_of_work: UnitOfWork, closing: PositionClosing, *, by_balance: bool) -> UUID | None:
        """Do what comes next, and return the order that is to be sent, if there is one.

        What may enlarge the position, or locks what is to be sold, is cancelled first.
        """
        if closing.entries and not closing.closes_part:
            await self._obstacles.cancel(unit_of_work, closing.intent, closing.entries)
        if closing.position is None:
            if not closing.entries:
                await self._end(unit_of_work, closing.intent)
            return None
        if not closing.closes_part and closing.exits:
            await self._obstacles.cancel(unit_of_work, closing.intent, closing.exits)
            return None
        market = self._context.feed.catalogue.get(closing.position.market)
        # No order a minute, for ever, in a market that its venue has given up.
        if market is None or not (market.active or closing.intent.failures <= PATIENT_AFTER):
            refusal = f"{closing.position.market} is not traded at its venue now."
            await self._record_failure(unit_of_work, closing.intent, refusal)
            return None
        return await self._close(unit_of_work, closing, closing.position, market, by_balance=by_balance)

    async def _close(
        self,
        unit_of_work: UnitOfWork,
        closing: PositionClosing,
        position: Position,
        market: Market,
        *,
        by_balance: bool,
    ) -> UUID | None:
        price = self._context.feed.price_of(market.symbol) or position.average_price or ZERO
        if closing.untold > 0 and is_dust(closing.target, market, price) and not closing.closes_part:
            await self._close_without(unit_of_work, closing, position, closing.untold, _UNTOLD)
            return None
        quantity = plan_exit(closing.target, market, price, None).quantity
        resting = closing.resting_in_the_way(quantity)
        if resting:
            await self._obstacles.cancel(unit_of_work, closing.intent, resting)
            return None
        in_the_way = closing.in_the_way(quantity)
        if in_the_way:
            await self._obstacles.cancel_by_hand(unit_of_work, closing.intent, in_the_way)
            return None
        held = await self._held(unit_of_work, market) if by_balance else None
        if held is None and closing.intent.missing > 0:
            await self._obstacles.wait(unit_of_work, closing.intent, _FOR_BALANCES)
            return None
        plan = plan_exit(closing.target, market, price, held)
        if plan.quantity > 0:
            return await self._place(unit_of_work, closing, position, plan)
        present = EXACT.subtract(closing.target, plan.missing)
        if plan.locked > 0 and not is_dust(present, market, price):
            await self._unlock(unit_of_work, closing.intent, market, plan.locked)
        elif plan.missing > 0 and not closing.closes_part:
            if closing.intent.missing > 0 or closing.intent.failures >= MISSING_SEEN:
                await self._close_without(unit_of_work, closing, position, plan.missing, _GONE)
        else:
            await self._close_dust(unit_of_work, closing, position, market, price)
        return None

    async def _held(self, unit_of_work: UnitOfWork, market: Market) -> Balance:
        balances = (await unit_of_work.accounts.balances([self._context.account.id]))[self._context.account.id]
        known = (balance for balance in balances if balance.currency == market.base)
        return next(known, Balance(market.base, ZERO, ZERO))

    async def _place(
        self, unit_of_work: UnitOfWork, closing: PositionClosing, position: Position, plan: ExitPlan
    ) -> UUID:
        intent = closing.intent
        order = self._order(closing, position, plan.quantity)
        await place_order(unit_of_work, order)
        if intent.signal_id is not None and not intent.tries:
            await unit_of_work.trading_sessions.set_signal_order(intent.signal_id, order.id)
        placed = intent.changed(
            position_id=position.id,
            order_id=order.id,
            tries=intent.tries + 1,
            next_try_at=None,
            missing=plan.missing,
            waits_for=None,
        )
        await unit_of_work.protection.save_intent(placed)
        return order.id

    def _order(self, closing: PositionClosing, position: Position, quantity: Decimal) -> Order:
        """Return the market order of the next try; the same try gives the same client order id."""
        intent, now = closing.intent, self._context.clock.now()
        return Order(
            id=self._context.ids.next_id(),
            user_id=intent.user_id,
            account_id=intent.account_id,
            market=intent.market,
            client_order_id=client_order_id(intent.account_id, "intent", str(intent.id), intent.role, intent.tries),
            side=Direction.of(position.quantity).exit_side,
            type=OrderType.MARKET,
            role=intent.role,
            quantity=quantity,
            created_at=now,
            updated_at=now,
            reduce_only=True,
            trading_session_id=intent.trading_session_id,
            signal_id=intent.signal_id,
            parent_id=closing.entry_order_id,
        )

    # -- what can't be sold ------------------------------------------------------------------------------------------

    async def _unlock(self, unit_of_work: UnitOfWork, intent: PositionIntent, market: Market, locked: Decimal) -> None:
        """Cancel orders that lock what is to be sold; those that the engine doesn't know are left alone."""
        active = await unit_of_work.orders.list_active(intent.account_id)
        chosen = orders_to_release(active, market, locked)
        if chosen:
            await self._obstacles.cancel_by_hand(unit_of_work, intent, chosen)
        refusal = f"{plain(locked)} {market.base} are locked by other orders of the account."
        await self._record_failure(unit_of_work, intent, refusal, silent=intent.failures + len(chosen))

    async def _close_without(
        self, unit_of_work: UnitOfWork, closing: PositionClosing, position: Position, missing: Decimal, why: str
    ) -> None:
        """Close the position without what the account doesn't hold any more, and alert of it and `why` once."""
        locked = await self._lock(unit_of_work, closing.intent, position)
        if locked is None:
            return
        sign, now = Direction.of(position.quantity), self._context.clock.now()
        missing = min(missing, abs(position.quantity))
        rest = EXACT.subtract(position.quantity, sign * missing)
        closed = locked.changed(quantity=ZERO, dust=rest, missing=sign * missing, closed_at=now)
        await self._context.save_position(unit_of_work, closed, f"{plain(missing)} missing")
        base = position.market.symbol.partition("/")[0]
        message = (
            f"{plain(missing)} {base} of a position on {position.market} are no longer in the account: {why}. "
            "The position was closed without them."
        )
        await self._context.alert(unit_of_work, f"missing:{position.id}", message)
        await self._end(unit_of_work, closing.intent.changed(missing=missing))

    async def _close_dust(
        self, unit_of_work: UnitOfWork, closing: PositionClosing, position: Position, market: Market, price: Decimal
    ) -> None:
        """End with a remainder that is too small to be sold, once no order can change it any more.

        If that is all that was to be sold, and not less than a lot, there is an alert: the intent has sold nothing.
        """
        intent = closing.intent
        if closing.closes_part:
            if not intent.sold and closing.target > 0:
                message = (
                    f"{intent.reason} Its part of a position on {market.symbol}, {plain(closing.target)} "
                    f"{market.base}, is too little for an order: it was not sold, and stays with the rest of the "
                    "position."
                )
                await self._context.alert(unit_of_work, f"dust:{intent.id}", message)
            await self._end(unit_of_work, intent)
            return
        if closing.orders:
            await self._obstacles.wait(unit_of_work, intent, awaited_end(closing.orders))
            return
        whole = is_dust(position.quantity, market, price)
        if whole:
            locked = await self._lock(unit_of_work, intent, position)
            if locked is None:
                return
            closed = close_dust(locked, market, price, self._context.clock.now())
            await self._context.save_position(unit_of_work, closed, "dust")
        if not intent.sold and has_lots(closing.target, market):
            message = (
                f"{plain(closing.target)} {market.base} of a position on {market.symbol} are too little for an order "
                f"of {intent.role.value}, and stay in the account. "
                f"{'The position was closed without them.' if whole else 'They are no longer protected.'}"
            )
            await self._context.alert(unit_of_work, f"dust:{intent.id}", message)
        await self._end(unit_of_work, intent)

    async def _lock(self, unit_of_work: UnitOfWork, intent: PositionIntent, position: Position) -> Position | None:
        """Lock a position's row and return it; None if a fill has changed it meanwhile.

        Rows of orders and protections are locked before those of positions, as everywhere.
        """
        if intent.protection_id is not None:
            await unit_of_work.protection.get_for_update(intent.protection_id)
        locked = await unit_of_work.positions.get_open_for_update(
            position.account_id, position.market, position.trading_session_id
        )
        return locked if locked == position else None

    # -- changes of rows ---------------------------------------------------------------------------------------------

    async def _end(self, unit_of_work: UnitOfWork, intent: PositionIntent) -> None:
        now = self._context.clock.now()
        await unit_of_work.protection.save_intent(intent.changed(ended_at=now, waits_for=None))
        if intent.protection_id is not None and intent.quantity is None:
            protection = await unit_of_work.protection.get_for_update(intent.protection_id)
            if protection is not None and protection.ended_at is None:
                await unit_of_work.protection.save(protection.changed(ended_at=now))
        if intent.failures:
            await unit_of_work.accounts.delete_alert(intent.account_id, _failure_key(intent))
        await unit_of_work.accounts.delete_alert(intent.account_id, internal_error_key(intent))


def _failure_key(intent: PositionIntent) -> str:
    return f"exit:{intent.id}"


def _lacks_balance(order: Order) -> bool:
    denied = any(denial.code is RiskCode.INSUFFICIENT_BALANCE for denial in order.denials)
    return denied or order.reject_code is RejectCode.INSUFFICIENT_BALANCE


def _refusal(order: Order) -> str:
    """Return the sentence that says why an order closed nothing."""
    if order.denials:
        return " ".join(denial.message for denial in order.denials)
    if order.status is OrderStatus.REJECTED:
        return f"The venue rejected the order: {(order.reject_reason or '').rstrip('.')}."
    return f"The order ended {order.status.value} before it was filled."
