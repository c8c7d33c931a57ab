"""The lists of the viewer: everything that belongs to the user."""

from dataclasses import replace
from typing import Annotated

import strawberry

from domain.model import users as domain
from domain.model.jobs import JobStatus
from domain.model.trading import AccountKind
from domain.ports.lists import PositionFilter
from domain.ports.orders import OrderFilter
from domain.ports.trading_sessions import TradingSessionFilter
from resolvers import (
    alerts,
    backtests,
    filters,
    jobs,
    optimizations,
    orders,
    recommendations,
    report_schedules,
    reports,
    strategies,
    trading,
    users,
)
from resolvers.lists import PositionOrder, TimeOrder
from resolvers.pagination import PageArguments
from schema.common.arguments import OrderBy, connection_field
from schema.common.filters import (
    From,
    OfAccount,
    OfStrategy,
    Owners,
    To,
    fill_filter,
    order_filter,
    owners,
    position_filter,
    session_filter,
)
from schema.common.types import Info, lazy
from schema.markets.arguments import OfMarket, OfTimeframe
from schema.positions.lists import PositionConnection, PositionOrderBy

AccountConnection = lazy("accounts.types", "AccountConnection")
AlertRuleConnection = lazy("alerts.types", "AlertRuleConnection")
ReportScheduleConnection = lazy("reports.schedules", "ReportScheduleConnection")
ActivityConnection = lazy("users.types", "ActivityConnection")
BacktestConnection = lazy("backtests.types", "BacktestConnection")
FillConnection = lazy("orders.types", "FillConnection")
JobConnection = lazy("jobs.types", "JobConnection")
OptimizationConnection = lazy("optimizations.types", "OptimizationConnection")
OrderConnection = lazy("orders.types", "OrderConnection")
ReportConnection = lazy("reports.types", "ReportConnection")
StrategyConnection = lazy("strategies.types", "StrategyConnection")
TradingSessionConnection = lazy("trading.types", "TradingSessionConnection")

NEWEST = TimeOrder.NEWEST_FIRST

Viewer = strawberry.Parent[domain.User]


@strawberry.type
class ViewerLists:
    """The lists of `User`."""

    @connection_field(AccountConnection | None, description="The accounts of the user.")
    async def accounts(
        parent: Viewer,
        info: Info,
        page: PageArguments,
        kind: Annotated[
            AccountKind | None, strawberry.argument(description="Only PAPER accounts, or only LIVE accounts.")
        ] = None,
        archived: Annotated[
            bool | None,
            strawberry.argument(
                description=(
                    "True: only archived accounts. False: only accounts that are not archived. By default, both are "
                    "included."
                )
            ),
        ] = None,
        order_by: OrderBy = NEWEST,
    ) -> object:
        return await trading.accounts(
            info.context, parent, page, filters.account_filter(kind, archived=archived), order_by
        )

    @connection_field(StrategyConnection | None, description="The strategies of the user.")
    async def strategies(
        parent: Viewer,
        info: Info,
        page: PageArguments,
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
        return await strategies.user_strategies(info.context, parent, page, order_by, archived=bool(archived))

    @strawberry.field(
        graphql_type=list[lazy("strategies.recommendations", "StrategyRecommendation")] | None,  # type: ignore[misc]  # an annotation made at run time
        description=(
            "The user's strategies and the templates, ranked for a market's present trend, the best first. What isn't "
            "known or is old is computed by a job after the answer, which waits for nothing: the list is empty until "
            "the first of these jobs has succeeded, and `computedAt` is the age of a result. Strategies that can't be "
            "backtested are left out."
        ),
    )
    async def strategy_recommendations(
        parent: Viewer,
        info: Info,
        market: OfMarket,
        timeframe: OfTimeframe,
        first: Annotated[
            int, strawberry.argument(description="The greatest number of recommendations, from 1 to 100.")
        ] = 10,
    ) -> object:
        return await recommendations.recommendations(info.context, parent, market, timeframe, first)

    @connection_field(
        TradingSessionConnection | None, description="The trading sessions of the user.", filter=session_filter
    )
    async def trading_sessions(
        parent: Viewer,
        info: Info,
        page: PageArguments,
        filter: TradingSessionFilter,
        account: OfAccount = None,
        strategy: OfStrategy = None,
        order_by: OrderBy = NEWEST,
    ) -> object:
        account_id, strategy_id = filters.filter_id(account, "Account"), filters.filter_id(strategy, "Strategy")
        selected = replace(filter, account_id=account_id, strategy_id=strategy_id)
        return await trading.trading_sessions(info.context, parent, page, selected, order_by)

    @connection_field(
        OrderConnection | None,
        description="The orders of the user. `from` and `to` select by the time at which the order was stored.",
        owners=owners,
        filter=order_filter,
    )
    async def orders(
        parent: Viewer,
        info: Info,
        page: PageArguments,
        owners: Owners,
        filter: OrderFilter,
        order_by: OrderBy = NEWEST,
    ) -> object:
        return await orders.list_orders(info.context, parent, page, owners.narrow(filter), order_by)

    @connection_field(
        FillConnection | None,
        description=(
            "The fills of the user's orders, in the order in which the engine recorded them. `from` and `to` select "
            "by the venue's time."
        ),
        owners=owners,
        filter=fill_filter,
    )
    async def fills(
        parent: Viewer,
        info: Info,
        page: PageArguments,
        owners: Owners,
        filter: OrderFilter,
        order_by: OrderBy = NEWEST,
    ) -> object:
        return await orders.list_fills(info.context, parent, page, owners.narrow(filter), order_by)

    @connection_field(
        PositionConnection | None,
        description="The positions of the user.",
        owners=owners,
        filter=position_filter,
    )
    async def positions(
        parent: Viewer,
        info: Info,
        page: PageArguments,
        owners: Owners,
        filter: PositionFilter,
        order_by: PositionOrderBy = PositionOrder.OPENED_NEWEST_FIRST,
    ) -> object:
        return await trading.positions(info.context, parent, page, owners.narrow(filter), order_by)

    @connection_field(AlertRuleConnection | None, description="The alert rules of the user.")
    async def alert_rules(parent: Viewer, info: Info, page: PageArguments, order_by: OrderBy = NEWEST) -> object:
        return await alerts.rules(info.context, parent, page, order_by)

    @connection_field(ReportScheduleConnection | None, description="The schedules of reports of the user.")
    async def report_schedules(parent: Viewer, info: Info, page: PageArguments, order_by: OrderBy = NEWEST) -> object:
        return await report_schedules.schedules(info.context, parent, page, order_by)

    @connection_field(JobConnection | None, description="The jobs of the user.")
    async def jobs(
        parent: Viewer,
        info: Info,
        page: PageArguments,
        status: Annotated[
            list[JobStatus] | None, strawberry.argument(description="Only jobs with one of these statuses.")
        ] = None,
        order_by: OrderBy = NEWEST,
    ) -> object:
        return await jobs.jobs(info.context, parent, page, status, order_by)

    @connection_field(BacktestConnection | None, description="The backtests of the user.")
    async def backtests(parent: Viewer, info: Info, page: PageArguments, order_by: OrderBy = NEWEST) -> object:
        return await backtests.backtests(info.context, parent, page, order_by)

    @connection_field(OptimizationConnection | None, description="The optimizations of the user.")
    async def optimizations(parent: Viewer, info: Info, page: PageArguments, order_by: OrderBy = NEWEST) -> object:
        return await optimizations.optimizations(info.context, parent, page, order_by)

    @connection_field(
        ReportConnection | None,
        description=(
            "The reports of the user. Give at most one of `account`, `tradingSession`, `strategy` and `backtest`: a "
            "report is about one object, so two of them select nothing."
        ),
    )
    async def reports(
        parent: Viewer,
        info: Info,
        page: PageArguments,
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
        backtest: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only reports about the backtest with this id.")
        ] = None,
        order_by: OrderBy = NEWEST,
    ) -> object:
        return await reports.user_reports(
            info.context, parent, page, filters.report_filter(account, trading_session, strategy, backtest), order_by
        )

    @connection_field(ActivityConnection | None, description="The actions of the user.")
    async def activity(
        parent: Viewer,
        info: Info,
        page: PageArguments,
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
        return await users.activity(info.context, parent, page, filters.activity_filter(action, from_, to), order_by)
