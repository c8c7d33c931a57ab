"""Orders: placing, previewing, cancelling and listing them, and the objects that belong to one."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from domain.core.errors import ErrorCode, InputError
from domain.core.money import EXACT
from domain.core.pagination import CursorScope, Page, id_key, page_request, slice_page
from domain.core.tracing import span
from domain.execution.order_preview import OrderPreview
from domain.model.markets import MarketSymbol
from domain.model.orders import CancelCode, Fill, Order, OrderStatus
from domain.model.protection import ExitLevel, PositionProtection
from domain.model.trading import Signal
from domain.model.users import ApiScope
from domain.ports.orders import OrderFilter
from domain.rules.bracket_request import BracketRequest
from domain.rules.order_amendment import AmendmentRequest
from domain.rules.order_request import OrderRequest
from resolvers.context import RequestContext
from resolvers.events import OrderEventItem, order_event_item
from resolvers.lists import Parent, TimeOrder, cursor_owner, list_page, owned_by
from resolvers.pagination import PageArguments

_NOT_SENT = {
    CancelCode.TOO_OLD: "The order waited too long to be sent, so it was not sent.",
    CancelCode.NOT_SENT: "The engine lost the right to trade the account just before, so the order was not sent.",
}


@dataclass(frozen=True, slots=True)
class FeeTotal:
    """The fees in one currency; negative if the rebates are higher."""

    currency: str
    amount: Decimal


async def list_orders(
    context: RequestContext,
    parent: Parent,
    page: PageArguments,
    order_filter: OrderFilter,
    order: TimeOrder = TimeOrder.NEWEST_FIRST,
) -> Page[Order]:
    """Return a page of the matching orders of an object; a cursor is valid with any filter of the same user."""
    scope = CursorScope("orders", cursor_owner(parent))
    return await list_page(context.lists.orders, scope, owned_by(parent, order_filter), page, order)


async def list_fills(
    context: RequestContext,
    parent: Parent,
    page: PageArguments,
    order_filter: OrderFilter,
    order: TimeOrder = TimeOrder.NEWEST_FIRST,
) -> Page[Fill]:
    """Return a page of the matching fills of an object; a cursor is valid with any filter of the same user."""
    scope = CursorScope("fills", cursor_owner(parent))
    return await list_page(context.lists.fills, scope, owned_by(parent, order_filter), page, order)


async def fees(context: RequestContext, order: Order) -> list[FeeTotal]:
    """Return the fees of the order so far, by currency and sorted by it."""
    sums = defaultdict[str, Decimal](Decimal)
    for fill in await context.loaders.fills.load(order.id):
        sums[fill.fee_currency] = EXACT.add(sums[fill.fee_currency], fill.fee)
    return [FeeTotal(currency, amount) for currency, amount in sorted(sums.items())]


async def fills(context: RequestContext, order: Order, page: PageArguments) -> Page[Fill]:
    """Return a page of the fills of an order, newest first."""
    scope = CursorScope("order-fills", str(order.id))
    request = page_request(scope, page.first, page.after, page.last, page.before)
    return slice_page(request, await context.loaders.fills.load(order.id), lambda fill: id_key(fill.id))


async def events(context: RequestContext, order: Order, page: PageArguments) -> Page[OrderEventItem]:
    """Return a page of the events of an order, oldest first."""
    scope = CursorScope("order-events", str(order.id))
    request = page_request(scope, page.first, page.after, page.last, page.before)
    stored = await context.loaders.order_events.load(order)
    return slice_page(request, [order_event_item(event) for event in stored], lambda item: (str(item.sequence),))


async def order_by_id(context: RequestContext, order_id: UUID | None) -> Order | None:
    """Return the order by the id that another object refers to it with; None without an id."""
    return None if order_id is None else await context.loaders.orders.load(order_id)


async def signal(context: RequestContext, order: Order) -> Signal | None:
    """Return the signal that caused the order; None for an order of the user."""
    return None if order.signal_id is None else await context.loaders.signals.load(order.signal_id)


async def protections(context: RequestContext, order: Order) -> list[Order]:
    """Return the orders that protect the position of this one."""
    return await context.loaders.protections.load(order.id)


async def protection(context: RequestContext, order: Order) -> PositionProtection | None:
    """Return what protects the fills of an entry order; None if nothing does."""
    protection = await context.loaders.entry_protections.load(order.id)
    return None if protection is None or protection.rules.is_empty else protection


async def group(context: RequestContext, order: Order) -> list[Order]:
    """Return the orders of the order's group, the stop first; none if it is in no group."""
    return [] if order.group_id is None else await context.loaders.order_groups.load(order.group_id)


async def replaced_by(context: RequestContext, order: Order) -> Order | None:
    """Return the order that replaced this one, if any."""
    return await context.loaders.replacements.load(order.id)


async def place(
    context: RequestContext,
    request: OrderRequest,
    idempotency_key: str,
    bracket: BracketRequest | None,
    trail: ExitLevel | None,
) -> Order:
    """Place an order and return it as it is once the venue has answered, or after 2 s."""
    user = context.require_user(ApiScope.TRADE)
    with span("order.place", venue=request.market.venue):
        return await context.services.orders.place(user.id, request, idempotency_key, bracket, trail)


async def preview(
    context: RequestContext,
    request: OrderRequest,
    idempotency_key: str,
    bracket: BracketRequest | None,
    trail: ExitLevel | None,
) -> OrderPreview:
    """Return what `place` would do now; nothing is stored or sent."""
    user = context.require_user(ApiScope.TRADE)
    return await context.services.orders.preview(user.id, request, idempotency_key, bracket, trail)


async def preview_amendment(context: RequestContext, request: AmendmentRequest) -> OrderPreview:
    """Return what `amend` would do now; nothing is stored or sent."""
    user = context.require_user(ApiScope.TRADE)
    return await context.services.orders.preview_amendment(user.id, request)


async def amend(context: RequestContext, request: AmendmentRequest, idempotency_key: str) -> Order:
    """Amend an order and return the new one as it is once the venue has answered, or after 2 s."""
    user = context.require_user(ApiScope.TRADE)
    with span("order.amend"):
        return await context.services.orders.amend(user.id, request, idempotency_key)


async def cancel(context: RequestContext, order_id: UUID) -> Order:
    """Cancel an order and return it as it is once the cancel has ended, or after 2 s."""
    user = context.require_user(ApiScope.TRADE)
    with span("order.cancel"):
        return await context.services.orders.cancel(user.id, order_id)


async def cancel_all(
    context: RequestContext, account_id: UUID, market: MarketSymbol | None, trading_session_id: UUID | None
) -> list[Order]:
    """Request the cancel of the matching orders of an account and return them; raises NOT_FOUND."""
    user = context.require_user(ApiScope.TRADE)
    return await context.services.orders.cancel_all(user.id, account_id, market, trading_session_id)


def order_error(order: Order) -> InputError | None:
    """Return the error of an order that was denied, rejected or not sent in time; None for any other."""
    if order.status is OrderStatus.DENIED:
        reasons = " ".join(denial.message for denial in order.denials)
        return InputError(ErrorCode.ORDER_DENIED, reasons or "The risk checks denied the order.", ("input",))
    if order.status is OrderStatus.REJECTED:
        reason = order.reject_reason or "The venue rejected the order."
        return InputError(ErrorCode.ORDER_REJECTED, reason, ("input",))
    if order.cancel_code in _NOT_SENT and order.status is OrderStatus.CANCELED:
        message = f"{_NOT_SENT[order.cancel_code]} If you still want it, place it with another idempotencyKey."
        return InputError(ErrorCode.ORDER_NOT_SENT, message, ("input",))
    return None


def amendment_error(order: Order) -> InputError | None:
    """Return the error of an amendment that was denied, rejected or given up before it was sent; None for any other."""
    if order.cancel_code is CancelCode.NOT_REPLACED:
        message = "The order ended, or could not be cancelled, before it was amended; see `replaces`."
        return InputError(ErrorCode.CONFLICT, message, ("id",))
    return order_error(order)
