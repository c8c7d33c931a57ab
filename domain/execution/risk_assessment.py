"""Checks an order by what is known of its account, or by what the transaction reads that decides about it."""

from dataclasses import replace
from datetime import datetime

from domain.execution.account_context import AccountContext
from domain.execution.risk_loader import load_risk_context, remembered_risk_context
from domain.model.orders import Order, RiskDenial
from domain.ports.unit_of_work import UnitOfWork
from domain.risk.checks import check_order
from domain.risk.context import RiskContext


async def assess(
    context: AccountContext, order: Order, now: datetime, transaction: UnitOfWork | None
) -> tuple[RiskContext, tuple[RiskDenial, ...]]:
    """Return the risk context of an order and the denials that follow from it.

    Without a `transaction` nothing is read as long as the account is known; but an order that would be denied by what
    was read before it was placed is checked again by what is stored.
    """
    if transaction is not None:
        risk = await stored_risk(context, order, now, transaction)
        return risk, check_order(order, risk)
    risk = await _known_risk(context, order, now)
    context.order_ages.observe(order.id, risk.age_seconds)
    denials = check_order(order, risk)
    if denials and not context.book.was_read_after(context.order_ages.placed_at(order.id)):
        context.book.forget()
        risk = await _known_risk(context, order, now)
        denials = check_order(order, risk)
    return risk, denials


async def stored_risk(context: AccountContext, order: Order, now: datetime, transaction: UnitOfWork) -> RiskContext:
    """Return the risk context of an order whose row is locked, by what the transaction reads that decides about it."""
    risk = await load_risk_context(transaction, order, context.markets, now, reconciled=context.reconciled)
    return replace(risk, refusal=context.refusal)


async def _known_risk(context: AccountContext, order: Order, now: datetime) -> RiskContext:
    risk = await remembered_risk_context(
        context.database,
        context.book,
        order,
        context.markets,
        now,
        reconciled=context.reconciled,
        has_age=order.id in context.order_ages,
        clock=context.clock,
    )
    return replace(risk, refusal=context.refusal)
