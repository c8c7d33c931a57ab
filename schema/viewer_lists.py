"""The lists that hang on the viewer: everything of the user's, by filters and in an order."""

from typing import Annotated

import strawberry

from domain.model import users as domain
from domain.model.reports import JobStatus
from domain.model.trading import AccountKind
from resolvers import filters, orders, reports, strategies, trading, users
from resolvers.lists import PositionOrder, TimeOrder
from resolvers.pagination import PageArguments
from schema.context import Info
from schema.lazy import lazy
from schema.lists import (
    AccountConnection,
    FillConnection,
    From,
    InSessionStatus,
    InStatus,
    IsOpen,
    JobConnection,
    OfAccount,
    OfMarket,
    OfRole,
    OfSession,
    OfSide,
    OfStrategy,
    OfType,
    OrderBy,
    OrderConnection,
    PositionConnection,
    PositionOrderBy,
    ReportConnection,
    StrategyConnection,
    To,
    TradingSessionConnection,
)
from schema.pagination import After, Before, First, Last

NEWEST = TimeOrder.NEWEST_FIRST

Viewer = strawberry.Parent[domain.User]


@strawberry.type
class ViewerLists:
    """What `User` lists."""

    @strawberry.field(graphql_type=AccountConnection | None, description="The accounts of the user.")
    async def accounts(
        parent: Viewer,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        kind: Annotated[
            AccountKind | None, strawberry.argument(description="Only PAPER accounts, or only LIVE accounts.")
        ] = None,
        archived: Annotated[
            bool | None,
            strawberry.argument(
                description="True: only archived accounts. False: only accounts that are not archived. By default both."
            ),
        ] = None,
        order_by: OrderBy = NEWEST,
    ) -> object:
        """Return the page."""
        page, wanted = PageArguments(first, after, last, before), filters.account_filter(kind, archived=archived)
        return await trading.accounts(info.context, parent, page, wanted, order_by)

    @strawberry.field(graphql_type=StrategyConnection | None, description="The strategies of the user.")
    async def strategies(
        parent: Viewer,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        archived: Annotated[
            bool | None,
            strawberry.argument(
                description=(
                    "True: only archived strategies. False or null: only strategies that are not archived, which is "
                    "the default."
                )
            ),
        ] = False,
        order_by: OrderBy = NEWEST,
    ) -> object:
        """Return the page."""
        page = PageArguments(first, after, last, before)
        return await strategies.of_user(info.context, parent, page, order_by, archived=bool(archived))

    @strawberry.field(graphql_type=TradingSessionConnection | None, description="The trading sessions of the user.")
    async def trading_sessions(
        parent: Viewer,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        account: OfAccount = None,
        market: OfMarket = None,
        status: InSessionStatus = None,
        strategy: OfStrategy = None,
        order_by: OrderBy = NEWEST,
    ) -> object:
        """Return the page."""
        page = PageArguments(first, after, last, before)
        wanted = filters.session_filter(account=account, strategy=strategy, market=market, status=status)
        return await trading.sessions(info.context, parent, page, wanted, order_by)

    @strawberry.field(
        graphql_type=OrderConnection | None,
        description="The orders of the user. `from` and `to` select by the time at which the order was stored.",
    )
    async def orders(
        parent: Viewer,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        account: OfAccount = None,
        trading_session: OfSession = None,
        market: OfMarket = None,
        side: OfSide = None,
        status: InStatus = None,
        from_: From = None,
        to: To = None,
        type: OfType = None,
        role: OfRole = None,
        strategy: OfStrategy = None,
        order_by: OrderBy = NEWEST,
    ) -> object:
        """Return the page."""
        wanted = filters.order_filter(
            account=account, trading_session=trading_session, strategy=strategy, market=market, side=side,
            status=status, type=type, role=role, start=from_, end=to,
        )  # fmt: skip
        return await orders.listed(info.context, parent, PageArguments(first, after, last, before), wanted, order_by)

    @strawberry.field(
        graphql_type=FillConnection | None,
        description=(
            "The fills of the user's orders, in the order in which the engine recorded them. `from` and `to` select "
            "by the venue's time."
        ),
    )
    async def fills(
        parent: Viewer,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        account: OfAccount = None,
        trading_session: OfSession = None,
        market: OfMarket = None,
        from_: From = None,
        to: To = None,
        side: OfSide = None,
        strategy: OfStrategy = None,
        order_by: OrderBy = NEWEST,
    ) -> object:
        """Return the page."""
        wanted = filters.order_filter(
            account=account, trading_session=trading_session, strategy=strategy, market=market, side=side,
            start=from_, end=to,
        )  # fmt: skip
        page = PageArguments(first, after, last, before)
        return await orders.fills_listed(info.context, parent, page, wanted, order_by)

    @strawberry.field(graphql_type=PositionConnection | None, description="The positions of the user.")
    async def positions(
        parent: Viewer,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        account: OfAccount = None,
        market: OfMarket = None,
        open: IsOpen = None,
        trading_session: OfSession = None,
        strategy: OfStrategy = None,
        order_by: PositionOrderBy = PositionOrder.OPENED_NEWEST_FIRST,
    ) -> object:
        """Return the page."""
        wanted = filters.position_filter(
            account=account, trading_session=trading_session, strategy=strategy, market=market, is_open=open
        )
        page = PageArguments(first, after, last, before)
        return await trading.positions(info.context, parent, page, wanted, order_by)

    @strawberry.field(graphql_type=JobConnection | None, description="The jobs of the user.")
    async def jobs(
        parent: Viewer,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        status: Annotated[
            list[JobStatus] | None, strawberry.argument(description="Only jobs with one of these statuses.")
        ] = None,
        order_by: OrderBy = NEWEST,
    ) -> object:
        """Return the page."""
        page = PageArguments(first, after, last, before)
        return await reports.jobs(info.context, parent, page, status, order_by)

    @strawberry.field(
        graphql_type=ReportConnection | None,
        description=(
            "The reports of the user. Give at most one of `account`, `tradingSession` and `strategy`: a report is "
            "about one object, so two of them select nothing."
        ),
    )
    async def reports(
        parent: Viewer,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        account: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only reports about the account with this id.")
        ] = None,
        trading_session: Annotated[
            strawberry.ID | None,
            strawberry.argument(description="Only reports about the trading session with this id."),
        ] = None,
        strategy: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only reports about the strategy with this id.")
        ] = None,
        order_by: OrderBy = NEWEST,
    ) -> object:
        """Return the page."""
        page = PageArguments(first, after, last, before)
        wanted = filters.report_filter(account, trading_session, strategy)
        return await reports.of_user(info.context, parent, page, wanted, order_by)

    @strawberry.field(graphql_type=lazy("users", "ActivityConnection") | None, description="The actions of the user.")
    async def activity(
        parent: Viewer,
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        action: Annotated[
            list[str] | None,
            strawberry.argument(
                description="Only these actions, by the names of their mutations, such as `tradingHalt`."
            ),
        ] = None,
        from_: From = None,
        to: To = None,
        order_by: OrderBy = NEWEST,
    ) -> object:
        """Return the page."""
        page, wanted = PageArguments(first, after, last, before), filters.activity_filter(action, from_, to)
        return await users.activity(info.context, parent, page, wanted, order_by)
