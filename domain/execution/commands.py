"""The commands of orders: each changes rows, with their events, in the transaction of the caller.

The account's executor carries them out after the commit; a caller who is in a hurry wakes it.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from domain.core.clock import IdGenerator
from domain.execution.order_steps import OrderStep, write_steps
from domain.model.orders import CancelCode, Order, OrderStatus
from domain.model.plans import PlanUsage
from domain.ports.idempotency import KeyReservation
from domain.ports.orders import OrderFilter, PlacingConditions
from domain.ports.unit_of_work import UnitOfWork
from domain.risk.plan import may_race, plan_limit
from domain.rules.order_lifecycle import Transition, cancel_unsent, deny, expire_unsent, initial_transition
from domain.rules.protected_position import new_protection


async def place_order(unit_of_work: UnitOfWork, order: Order) -> Order:
    """Store a new order, and return it as PENDING, or as DENIED by the user's plan; raises `DuplicateOrder`.

    The plan counts the orders of all accounts, which no executor knows, so it is checked here.
    """
    usage = await unit_of_work.orders.add(order)
    unit_of_work.events.append(initial_transition(order).log_events())
    if may_race(usage):
        usage = await unit_of_work.orders.lock_plan_usage(order.user_id, [order.id])
    return _deny_beyond_plan(unit_of_work, order, usage)


async def place_orders(unit_of_work: UnitOfWork, orders: Sequence[Order]) -> None:
    """Store new orders of one user, as `place_order` does each of them; raises `DuplicateOrder`."""
    usage = await unit_of_work.orders.add_many(orders)
    if may_race(usage, len(orders)):
        usage = await unit_of_work.orders.lock_plan_usage(orders[0].user_id, [order.id for order in orders])
    for order in orders:
        unit_of_work.events.append(initial_transition(order).log_events())
        stored = _deny_beyond_plan(unit_of_work, order, usage)
        if not stored.status.is_final:
            usage = replace(usage, active_orders=usage.active_orders + 1)


def _deny_beyond_plan(unit_of_work: UnitOfWork, order: Order, usage: PlanUsage) -> Order:
    denials = plan_limit(order, usage)
    if not denials:
        return order
    denied = deny(order, denials, order.created_at)
    write_steps(unit_of_work, [OrderStep.of(order, denied)])
    return denied.order


def place_decided_order(
    unit_of_work: UnitOfWork, step: OrderStep, reservation: KeyReservation, conditions: PlacingConditions
) -> None:
    """Store a new order as the step has left it, with its key, and the event of its placing before those of the step.

    The commit raises `StaleOrder`, and stores nothing, if what the decision counted on has changed; see `add_once`.
    """
    unit_of_work.orders.add_once(step.after, reservation, conditions)
    unit_of_work.events.append([*initial_transition(step.before).log_events(), *step.events])


async def cancel_order(unit_of_work: UnitOfWork, order: Order, code: CancelCode, at: datetime) -> Order:
    """Cancel an order whose row is locked, and return it as it then is.

    One that wasn't sent ends at once. One that is final, or to be cancelled already, stays as it is; but if it is
    cancelled for an amendment, that is cancelled with it.
    """
    if _is_replaced(order) and code is not CancelCode.AMENDED:
        await _cancel_amendments(unit_of_work, order, code, at)
    transition = _cancel(order, code, at)
    write_steps(unit_of_work, [OrderStep.of(order, transition)])
    return transition.order


async def replace_order(
    unit_of_work: UnitOfWork, replaced: Order, amendment: Order, at: datetime, ids: IdGenerator
) -> Order:
    """Store an amendment of an order whose row is locked, and return the replaced order as it then is.

    If that wasn't sent it ends at once. Otherwise the executor cancels it, and sends the amendment after it. What
    protects the fills of the replaced order protects those of the amendment too.
    """
    await place_order(unit_of_work, amendment)
    for protection in await unit_of_work.protection.list_of_entries([replaced.id]):
        again = new_protection(amendment, protection.rules, ids.next_id(), protection.protect_at)
        await unit_of_work.protection.add(again)
    if replaced.status is not OrderStatus.PENDING:
        return replaced
    return await cancel_order(unit_of_work, replaced, CancelCode.AMENDED, at)


async def cancel_orders(
    unit_of_work: UnitOfWork, user_id: UUID, selected: OrderFilter, code: CancelCode, at: datetime
) -> list[Order]:
    """Request the cancel of the user's selected orders that are active, and return those that had no such request.

    Those that weren't sent end as soon as the executor sees the request.
    """
    return await unit_of_work.orders.request_cancels(user_id, selected, code, at)


async def cancel_halted_orders(
    unit_of_work: UnitOfWork, accounts: Sequence[UUID] | None, at: datetime, retried: Sequence[UUID] = ()
) -> list[Order]:
    """Request the cancel of every order that a halt in force stops, on these accounts (None: on all); return them.

    Orders that are reduce-only or close a position are left alone, and so are those that weren't sent yet: the risk
    checks deny them. An order whose cancel the venue has refused is left alone unless it is one of `retried`: the
    account's executor tries it again after a time.
    """
    return await unit_of_work.orders.request_cancels_by_halts(accounts, at, retried)


async def _cancel_amendments(unit_of_work: UnitOfWork, order: Order, code: CancelCode, at: datetime) -> None:
    for found in await unit_of_work.orders.list_replacements([order.id]):
        amendment = await unit_of_work.orders.get_for_update(found.id)
        if amendment is not None:
            await cancel_order(unit_of_work, amendment, code, at)


def _is_replaced(order: Order) -> bool:
    """Return whether the order is being cancelled for an amendment's sake."""
    return order.status is OrderStatus.PENDING_CANCEL and order.cancel_code is CancelCode.AMENDED


def _cancel(order: Order, code: CancelCode, at: datetime) -> Transition:
    if _is_replaced(order):
        return Transition(order.changed(at, cancel_code=code))
    if order.status.is_final or order.cancel_requested_at is not None:
        return Transition(order)
    if order.status is not OrderStatus.PENDING:
        return Transition(order.changed(at, cancel_requested_at=at, cancel_code=code))
    if code is CancelCode.EXPIRED:
        return expire_unsent(order, at)
    reason = "replaced before it was sent" if code is CancelCode.AMENDED else "cancelled before it was sent"
    return cancel_unsent(order, at, reason, code)
