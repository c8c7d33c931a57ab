"""The positions of accounts and trading sessions, and the argument that orders lists of positions."""

from typing import Annotated

import strawberry

from domain.model.trading import Account, TradingSession
from domain.ports.lists import PositionFilter
from resolvers import trading
from resolvers.lists import PositionOrder
from resolvers.pagination import PageArguments
from schema.common.arguments import connection_field
from schema.common.filters import position_filter
from schema.common.types import Info, lazy

PositionConnection = lazy("positions.types", "PositionConnection")
PositionOrderBy = Annotated[
    PositionOrder,
    strawberry.argument(
        description="The order of the list. A cursor is only valid with the order in which it was returned."
    ),
]


@strawberry.type
class PositionLists:
    """The list of an object to which positions belong."""

    @connection_field(
        PositionConnection | None,
        nested=True,
        description="The positions that belong to this object.",
        filter=position_filter,
    )
    async def positions(
        parent: strawberry.Parent[Account | TradingSession],
        info: Info,
        page: PageArguments,
        filter: PositionFilter,
        order_by: PositionOrderBy = PositionOrder.OPENED_NEWEST_FIRST,
    ) -> object:
        return await trading.positions(info.context, parent, page, filter, order_by)
