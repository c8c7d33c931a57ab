"""Orders: placing and cancelling them, and what hangs on one."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from domain.errors import ErrorCode, InputError
from domain.markets.types import MarketSymbol
from domain.orders.ports import OrderFilter
from domain.orders.request import OrderRequest
from domain.orders.side import OrderSide
from domain.orders.types import Fill, Order, OrderStatus
from domain.pagination import CursorScope, Page, id_key, page_request, slice_page
from domain.trading.types import Signal
from domain.users.types import ApiScope, User
from resolvers.context import RequestContext
from resolvers.events import OrderStep, order_step
from resolvers.filters import filter_id, filter_values
from resolvers.paging import PageArguments, page_by_id


async def of_user(
    context: RequestContext,
    user: User,
    page: PageArguments,
    account: str | None,
    trading_session: str | None,
    market: MarketSymbol | None,
    side: OrderSide | None,
    status: Sequence[OrderStatus] | None,
    start: datetime | None,
    end: datetime | None,
) -> Page[Order]:
    """Return the user's orders that fit, newest first."""
    wanted = OrderFilter(
        account_id=filter_id(account, "Account"),
        trading_session_id=filter_id(trading_session, "TradingSession"),
        market=market,
        side=side,
        statuses=filter_values(status),
        start=start,
        end=end,
    )
    return await page_of_orders(context, user.id, page, wanted)


async def page_of_orders(
    context: RequestContext, user_id: UUID, page: PageArguments, wanted: OrderFilter
) -> Page[Order]:
    """Return the orders that fit, newest first; a cursor is good with any filter of the same user."""
    scope = CursorScope("orders", str(user_id))
    return await page_by_id(context, scope, page, lambda reading, window: reading.orders.page(user_id, window, wanted))


async def fills_of_user(
    context: RequestContext,
    user: User,
    page: PageArguments,
    account: str | None,
    trading_session: str | None,
    market: MarketSymbol | None,
    start: datetime | None,
    end: datetime | None,
) -> Page[Fill]:
    """Return the user's fills that fit, newest first."""
    wanted = OrderFilter(
        account_id=filter_id(account, "Account"),
        trading_session_id=filter_id(trading_session, "TradingSession"),
        market=market,
        start=start,
        end=end,
    )
    scope = CursorScope("fills", str(user.id))
    return await page_by_id(context, scope, page, lambda reading, window: reading.orders.fills(user.id, window, wanted))


async def fills(context: RequestContext, order: Order, page: PageArguments) -> Page[Fill]:
    """Return the fills of an order as they are now, newest first."""
    scope = CursorScope("order-fills", str(order.id))
    request = page_request(scope, page.first, page.after, page.last, page.before)
    return slice_page(request, await context.loaders.fills.load(order.id), lambda fill: id_key(fill.id))


async def events(context: RequestContext, order: Order, page: PageArguments) -> Page[OrderStep]:
    """Return the life of an order, oldest first."""
    scope = CursorScope("order-events", str(order.id))
    request = page_request(scope, page.first, page.after, page.last, page.before)
    told = await context.loaders.order_events.load(order)
    return slice_page(request, [order_step(event) for event in told], lambda step: (str(step.sequence),))


async def order_by_id(context: RequestContext, order_id: UUID | None) -> Order | None:
    """Return the order that something refers to."""
    return None if order_id is None else await context.loaders.orders.load(order_id)


async def signal(context: RequestContext, order: Order) -> Signal | None:
    """Return the signal that caused the order."""
    return None if order.signal_id is None else await context.loaders.signals.load(order.signal_id)


async def protections(context: RequestContext, order: Order) -> list[Order]:
    """Return the orders that protect this one."""
    return await context.loaders.protections.load(order.id)


async def replaced_by(context: RequestContext, order: Order) -> Order | None:
    """Return the order that took the place of this one."""
    return await context.loaders.replacements.load(order.id)


async def place(context: RequestContext, request: OrderRequest, idempotency_key: str) -> Order:
    """Place an order and return it as it stands once it has an answer, or after 2 s."""
    user = context.require_user(ApiScope.TRADE)
    return await context.services.orders.place(user.id, request, idempotency_key)


async def cancel(context: RequestContext, order_id: UUID) -> Order:
    """Cancel an order and return it as it stands once the cancel has ended, or after 2 s."""
    return await context.services.orders.cancel(context.require_user(ApiScope.TRADE).id, order_id)


async def cancel_all(
    context: RequestContext, account_id: UUID, market: MarketSymbol | None, trading_session_id: UUID | None
) -> int:
    """Ask for the cancel of the account's orders that fit and return how many; raises NOT_FOUND."""
    user = context.require_user(ApiScope.TRADE)
    if trading_session_id is not None:
        session = await context.loaders.trading_sessions.load(trading_session_id)
        if session is None or session.user_id != user.id:
            message = "There is no trading session with this id."
            raise InputError(ErrorCode.NOT_FOUND, message, ("input", "tradingSession"))
    return await context.services.orders.cancel_all(user.id, account_id, market, trading_session_id)


def refusal(order: Order) -> InputError | None:
    """Return why a placed order came to nothing; None where it did not."""
    if order.status is OrderStatus.DENIED:
        reasons = " ".join(denial.message for denial in order.denials)
        return InputError(ErrorCode.ORDER_DENIED, reasons or "The risk checks denied the order.", ("input",))
    if order.status is OrderStatus.REJECTED:
        reason = order.reject_reason or "The venue rejected the order."
        return InputError(ErrorCode.ORDER_REJECTED, reason, ("input",))
    return None
