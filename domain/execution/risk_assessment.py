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

    Without a `transaction` nothing is read as long as the account is known; but an order that would be denied by that
    is checked again by what is stored.
    """
    risk = await _load(context, order, now, transaction)
    denials = check_order(order, risk)
    if denials and transaction is None:
        context.book.forget()
        risk = await _load(context, order, now, None)
        denials = check_order(order, risk)
    return risk, denials


async def _load(context: AccountContext, order: Order, now: datetime, transaction: UnitOfWork | None) -> RiskContext:
    markets, reconciled = context.markets, context.reconciled
    if transaction is None:
        book = context.book
        has_age = order.id in context.order_ages
        risk = await remembered_risk_context(
            context.database, book, order, markets, now, reconciled=reconciled, has_age=has_age
        )
    else:
        risk = await load_risk_context(transaction, order, markets, now, reconciled=reconciled)
    return replace(risk, refusal=context.refusal)
