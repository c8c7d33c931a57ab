"""The lists that hang on accounts, trading sessions, positions and strategies; 10 items a page by default."""

import strawberry

from domain.model.strategies import Strategy, StrategyVersion
from domain.model.trading import Account, Position, TradingSession
from resolvers import filters, orders, trading
from resolvers.lists import PositionOrder, TimeOrder
from resolvers.pagination import PageArguments
from schema.context import Info
from schema.lists import (
    NESTED,
    NESTED_PAGE,
    FillConnection,
    FirstOfNested,
    From,
    InSessionStatus,
    InStatus,
    IsOpen,
    OfMarket,
    OfRole,
    OfSide,
    OfStrategy,
    OfType,
    OrderBy,
    OrderConnection,
    PositionConnection,
    PositionOrderBy,
    To,
    TradingSessionConnection,
)
from schema.pagination import After, Before, Last

NEWEST = TimeOrder.NEWEST_FIRST


def _page(first: int | None, after: str | None, last: int | None, before: str | None) -> PageArguments:
    return PageArguments(first, after, last, before, NESTED_PAGE)


async def order_list(
    parent: strawberry.Parent[Account | TradingSession | Position],
    info: Info,
    first: FirstOfNested = None,
    after: After = None,
    last: Last = None,
    before: Before = None,
    market: OfMarket = None,
    side: OfSide = None,
    status: InStatus = None,
    type: OfType = None,
    role: OfRole = None,
    from_: From = None,
    to: To = None,
    order_by: OrderBy = NEWEST,
) -> object:
    """Return the page."""
    wanted = filters.order_filter(market=market, side=side, status=status, type=type, role=role, start=from_, end=to)
    return await orders.listed(info.context, parent, _page(first, after, last, before), wanted, order_by)


ORDERS_TOLD = "The orders that belong to this object. `from` and `to` select by the time at which the order was stored."


@strawberry.type
class OrderLists:
    """What everything lists that orders are placed for: the orders, and their fills."""

    orders = strawberry.field(
        resolver=order_list, graphql_type=OrderConnection | None, metadata=NESTED, description=ORDERS_TOLD
    )

    @strawberry.field(
        graphql_type=FillConnection | None,
        metadata=NESTED,
        description=(
            "The fills of the orders that belong to this object, in the order in which the engine recorded them. "
            "`from` and `to` select by the venue's time."
        ),
    )
    async def fills(
        parent: strawberry.Parent[Account | TradingSession | Position],
        info: Info,
        first: FirstOfNested = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        market: OfMarket = None,
        side: OfSide = None,
        from_: From = None,
        to: To = None,
        order_by: OrderBy = NEWEST,
    ) -> object:
        """Return the page."""
        wanted = filters.order_filter(market=market, side=side, start=from_, end=to)
        return await orders.fills_listed(info.context, parent, _page(first, after, last, before), wanted, order_by)


@strawberry.type
class PositionLists:
    """What everything lists that positions are held for."""

    @strawberry.field(
        graphql_type=PositionConnection | None, metadata=NESTED, description="The positions that belong to this object."
    )
    async def positions(
        parent: strawberry.Parent[Account | TradingSession],
        info: Info,
        first: FirstOfNested = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        market: OfMarket = None,
        open: IsOpen = None,
        order_by: PositionOrderBy = PositionOrder.OPENED_NEWEST_FIRST,
    ) -> object:
        """Return the page."""
        wanted = filters.position_filter(market=market, is_open=open)
        return await trading.positions(info.context, parent, _page(first, after, last, before), wanted, order_by)


@strawberry.type
class AccountSessionList:
    """The trading sessions on an account."""

    @strawberry.field(
        graphql_type=TradingSessionConnection | None,
        metadata=NESTED,
        description="The trading sessions that trade with this account.",
    )
    async def trading_sessions(
        parent: strawberry.Parent[Account],
        info: Info,
        first: FirstOfNested = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        market: OfMarket = None,
        status: InSessionStatus = None,
        strategy: OfStrategy = None,
        order_by: OrderBy = NEWEST,
    ) -> object:
        """Return the page."""
        wanted = filters.session_filter(strategy=strategy, market=market, status=status)
        return await trading.sessions(info.context, parent, _page(first, after, last, before), wanted, order_by)


@strawberry.type
class StrategySessionList:
    """The trading sessions that run a strategy, or a version of one."""

    @strawberry.field(
        graphql_type=TradingSessionConnection | None,
        metadata=NESTED,
        description="The trading sessions that run this strategy or version.",
    )
    async def trading_sessions(
        parent: strawberry.Parent[Strategy | StrategyVersion],
        info: Info,
        first: FirstOfNested = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        market: OfMarket = None,
        status: InSessionStatus = None,
        order_by: OrderBy = NEWEST,
    ) -> object:
        """Return the page."""
        wanted = filters.session_filter(market=market, status=status)
        return await trading.sessions(info.context, parent, _page(first, after, last, before), wanted, order_by)
