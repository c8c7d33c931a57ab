"""Closing a position."""

from decimal import Decimal
from uuid import UUID

from domain.model.orders import Order
from domain.model.users import ApiScope
from domain.trading.close_requests import PositionCloseRequest
from resolvers.context import RequestContext


async def close(context: RequestContext, position_id: UUID, quantity: Decimal | None, key: str) -> Order | None:
    """Close the user's position, or a part of it; return the order, None if it isn't placed yet."""
    user_id = context.require(ApiScope.TRADE).user.id
    return await context.services.positions.close(user_id, PositionCloseRequest(position_id, quantity), key)
