"""The limit of the user's plan on active orders, which an order must pass when it is placed."""

from decimal import Decimal

from domain.model.orders import Order, RiskCode, RiskDenial
from domain.model.plans import PlanUsage

PLACED_AT_ONCE = 200
"""How many orders of one user may be placed at once, each by a transaction that doesn't see the others."""


def may_race(usage: PlanUsage, placed: int = 1) -> bool:
    """Return whether orders that are placed at the same moment could exceed the limit together with these."""
    return usage.active_orders + placed - 1 + PLACED_AT_ONCE > usage.plan.max_active_orders


def plan_limit(order: Order, usage: PlanUsage) -> tuple[RiskDenial, ...]:
    """PLAN_LIMIT if the user would have more active orders than the plan allows.

    An order that only reduces a position passes, and one that takes the place of another.
    """
    limit, actual = usage.plan.max_active_orders, usage.active_orders + 1
    if actual <= limit or order.reduce_only or order.replaces_id is not None:
        return ()
    message = (
        f"This would be active order number {actual:,} on all your accounts; your plan {usage.plan.name} allows "
        f"{limit:,}. Cancel one first; the operator of this engine can give you another plan."
    )
    return (RiskDenial(RiskCode.PLAN_LIMIT, message, limit=Decimal(limit), actual=Decimal(actual)),)
