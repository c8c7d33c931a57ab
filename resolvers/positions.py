"""Protecting and closing a position."""

from decimal import Decimal
from uuid import UUID

from domain.model.orders import Order
from domain.model.protection import PositionIntent, PositionProtection
from domain.model.trading import Position
from domain.model.users import ApiScope
from domain.trading.close_requests import PositionCloseRequest
from domain.trading.protection_requests import PositionProtectRequest
from resolvers.context import RequestContext


async def close(context: RequestContext, position_id: UUID, quantity: Decimal | None, key: str) -> Order | None:
    """Close the user's position, or a part of it; return the order, None if it isn't placed yet."""
    user_id = context.require(ApiScope.TRADE).user.id
    return await context.services.positions.close(user_id, PositionCloseRequest(position_id, quantity), key)


async def protect(context: RequestContext, request: PositionProtectRequest, idempotency_key: str | None) -> Position:
    """Set what closes the user's position."""
    user_id = context.require(ApiScope.TRADE).user.id
    return await context.services.protection.protect(user_id, request, idempotency_key)


async def resting_orders(context: RequestContext, protection: PositionProtection) -> list[Order]:
    """Return the orders under way that keep a protection at the venue, the stop first."""
    latest = await context.loaders.protection_orders.load(protection.id)
    return [order for order in latest if not order.status.is_final]


async def protections(context: RequestContext, position: Position) -> list[PositionProtection]:
    """Return what protects the position, or did, oldest first."""
    return await context.loaders.position_protections.load(position.id)


async def closing(context: RequestContext, position: Position) -> PositionIntent | None:
    """Return why the position was or is being closed; None if the engine has had no reason to."""
    return await context.loaders.position_intents.load(position.id)
