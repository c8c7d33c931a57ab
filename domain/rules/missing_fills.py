"""Orders that have ended at the venue with more filled than the trades that are known of them.

Until those trades are known, such an order counts as active: its position may still change.
"""

from datetime import datetime

from domain.core.money import plain
from domain.model.orders import Order, OrderEvent, OrderEventKind
from domain.ports.execution_client import OrderReport
from domain.rules.order_lifecycle import Transition


def await_fills(order: Order, report: OrderReport, at: datetime) -> Transition:
    """Note that the venue counts more of an order that has ended as filled than its known trades add up to.

    An order that is open needs no such note, and what was given up is awaited again only if the venue counts more.
    """
    reported = report.filled_quantity
    if not order.status.is_final or reported <= max(order.filled_quantity, order.reported_quantity):
        return Transition(order)
    reason = f"the venue counts {plain(reported)} of it as filled, and its trades are asked for"
    return _note(order.changed(at, reported_quantity=reported, awaits_fills=True), reason)


def give_up_fills(order: Order, at: datetime) -> Transition:
    """Note that the missing trades are asked for no more; what the venue counts as filled stays known."""
    if not order.awaits_fills:
        return Transition(order)
    reason = f"the venue has never told the trades of {plain(order.missing_quantity)} that it counts as filled"
    return _note(order.changed(at, awaits_fills=False), reason)


def _note(order: Order, reason: str) -> Transition:
    return Transition(order, (OrderEvent(OrderEventKind.RECONCILED, order, None, reason),))
