"""Takes two orders of which one ends the other to the venue: both are decided, sent and refused together."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.execution.account_context import AccountContext
from domain.execution.order_replacer import is_amendment
from domain.execution.order_steps import OrderStep
from domain.execution.risk_assessment import stored_risk
from domain.model.orders import CancelCode, Order, OrderStatus
from domain.ports.execution_client import OrderPair
from domain.ports.unit_of_work import UnitOfWork
from domain.risk.checks import check_order
from domain.rules.arrival_price import arrival_price
from domain.rules.order_lifecycle import Transition, cancel_unsent, deny, submit

_PENDING = OrderStatus.PENDING


class OrderGroups:
    """Decides about the groups of an account, and keeps those that are being sent."""

    def __init__(self, context: AccountContext) -> None:
        self._context = context
        self._sending: dict[UUID, OrderPair] = {}

    def __repr__(self) -> str:
        return f"OrderGroups({self._context!r}, sending={len(self._sending)})"

    async def decide(self, group_id: UUID) -> Order | None:
        """Decide about a group of which an order is PENDING; return its first order if both are to be sent now."""
        context = self._context
        async with context.fenced_transaction() as transaction:
            await transaction.halts.hold_off()
            orders = await transaction.orders.list_group_for_update(group_id)
            transitions = await self._transitions(transaction, orders)
            steps = list(map(OrderStep.of, orders, transitions))
            context.write(transaction, steps)
        submitted = [step.after for step in steps if step.has_changed and step.after.status is OrderStatus.SUBMITTED]
        if not submitted:
            return None
        first, second = submitted
        self._sending[group_id] = (first, second)
        return first

    def pair_of(self, order: Order) -> OrderPair | None:
        """Return the two orders that are being sent, if `order` is one of them."""
        return None if order.group_id is None else self._sending.get(order.group_id)

    def ids_of(self, order: Order) -> set[UUID]:
        """Return the ids of the orders that a command is about: an amendment and a group are about two."""
        if is_amendment(order) and order.replaces_id is not None:
            return {order.id, order.replaces_id}
        return {each.id for each in self.pair_of(order) or (order,)}

    def forget(self, order: Order) -> None:
        """Forget the group of an order once its request is over."""
        if order.group_id is not None:
            self._sending.pop(order.group_id, None)

    async def _transitions(self, transaction: UnitOfWork, orders: Sequence[Order]) -> list[Transition]:
        """Return what becomes of each order: those that aren't PENDING any more stay, and keep the others back."""
        context, now = self._context, self._context.clock.now()
        if len(orders) != 2 or any(order.status is not _PENDING for order in orders):  # noqa: PLR2004  # a pair
            return [_keep_back(order, now, "the other order of its group was not sent") for order in orders]
        if any(order.cancel_requested_at is not None for order in orders):
            return [_keep_back(order, now, "cancelled before it was sent") for order in orders]
        risk = await stored_risk(context, orders[0], now, transaction)
        denials = [check_order(order, risk) for order in orders]
        if any(denials):
            reasons = denials[0] or denials[1]
            return [deny(order, own or reasons, now) for order, own in zip(orders, denials, strict=True)]
        return [submit(order, now, arrival_price(order, risk.depth), context.venue.venue_now()) for order in orders]


def _keep_back(order: Order, now: datetime, reason: str) -> Transition:
    if order.status is not _PENDING:
        return Transition(order)
    return cancel_unsent(order, now, reason, CancelCode.NOT_SENT)
