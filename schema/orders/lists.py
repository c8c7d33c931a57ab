"""The orders and fills of accounts, trading sessions and positions."""

from typing import Any

import strawberry

from domain.model.trading import Account, Position, TradingSession
from domain.ports.orders import OrderFilter
from resolvers import orders
from resolvers.lists import TimeOrder
from resolvers.pagination import PageArguments
from schema.common.arguments import OrderBy, connection_field
from schema.common.filters import fill_filter, order_filter
from schema.common.types import Info, lazy

OrderConnection = lazy("orders.types", "OrderConnection")
FillConnection = lazy("orders.types", "FillConnection")


def orders_field(graphql_type: Any) -> Any:  # noqa: ANN401  # a type that is made at run time, and a field of it
    """Declare the list of the orders that belong to an object."""
    return connection_field(
        graphql_type,
        nested=True,
        description="The orders that belong to this object. `from` and `to` select by the time at which the order was "
        "stored.",
        filter=order_filter,
    )(_orders)


async def _orders(
    parent: strawberry.Parent[Account | TradingSession | Position],
    info: Info,
    page: PageArguments,
    filter: OrderFilter,
    order_by: OrderBy = TimeOrder.NEWEST_FIRST,
) -> object:
    return await orders.list_orders(info.context, parent, page, filter, order_by)


@strawberry.type
class OrderLists:
    """The lists of an object to which orders belong: the orders, and their fills."""

    orders = orders_field(OrderConnection | None)

    @connection_field(
        FillConnection | None,
        nested=True,
        description=(
            "The fills of the orders that belong to this object, in the order in which the engine recorded them. "
            "`from` and `to` select by the venue's time."
        ),
        filter=fill_filter,
    )
    async def fills(
        parent: strawberry.Parent[Account | TradingSession | Position],
        info: Info,
        page: PageArguments,
        filter: OrderFilter,
        order_by: OrderBy = TimeOrder.NEWEST_FIRST,
    ) -> object:
        return await orders.list_fills(info.context, parent, page, filter, order_by)
