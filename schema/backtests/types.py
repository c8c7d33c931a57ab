"""Backtests and their results."""

from decimal import Decimal
from typing import Annotated

import strawberry

from domain.model import backtests as domain
from resolvers import backtests, markets
from resolvers.pagination import PageArguments
from schema.analytics.types import ParameterValue
from schema.backtests.checks import BacktestChecks
from schema.backtests.run_fields import StrategyRunFields
from schema.backtests.settings import RunSettingsFields
from schema.common.arguments import connection_field
from schema.common.node import Node, instance_of
from schema.common.pagination import connection
from schema.common.types import Info, lazy
from schema.reports.metrics import PerformanceMetrics
from schema.reports.types import EquityPoint, RoundTripConnection
from schema.strategies.types import StrategyDefinition

Parent = strawberry.Parent[domain.Backtest]


@strawberry.type(description="A strategy that ran on past candles, and what it came to.")
class Backtest(Node, StrategyRunFields, RunSettingsFields):
    is_type_of = instance_of(domain.Backtest)

    definition: StrategyDefinition = strawberry.field(description="The definition that ran, as it was at the request.")
    parameters: list[ParameterValue] = strawberry.field(
        description="The value of each of the strategy's parameters, including those with their default value."
    )
    initial_equity: Decimal = strawberry.field(description="What there was at the start, in quote currency.")

    @strawberry.field(
        graphql_type=lazy("markets.types", "Market"),
        description="The market on whose candles the strategy ran; the first of several.",
    )
    def market(parent: Parent, info: Info) -> object:
        return markets.market(info.context, parent.market)

    @strawberry.field(
        graphql_type=list[lazy("markets.types", "Market")],  # type: ignore[misc]  # a type by its name
        description="All markets on whose candles the strategy ran, in the order of the request.",
    )
    def markets(parent: Parent, info: Info) -> object:
        return [markets.market(info.context, symbol) for symbol in parent.markets]

    @strawberry.field(
        graphql_type=PerformanceMetrics | None,
        description="The figures of the backtest, as a report has them. Null until the job has succeeded.",
    )
    async def metrics(parent: Parent, info: Info) -> object:
        return await backtests.metrics(info.context, parent)

    @strawberry.field(
        description=(
            "A hash of all fills and of what was held at the end. The same input on the same candles always has the "
            "same hash. Null until the job has succeeded."
        )
    )
    async def hash(parent: Parent, info: Info) -> str | None:
        return await backtests.fills_hash(info.context, parent)

    @strawberry.field(
        graphql_type=list[str] | None,
        description=(
            "What a reader must know about the result, such as missing candles or entries that led to no order, in "
            "sentences. Null until the job has succeeded."
        ),
    )
    async def notes(parent: Parent, info: Info) -> object:
        return await backtests.notes(info.context, parent)

    @strawberry.field(
        graphql_type=BacktestChecks | None,
        description="What the checks have found. Null until the job has succeeded, and if none were asked for.",
    )
    async def checks(parent: Parent, info: Info) -> object:
        return await backtests.checks(info.context, parent)

    @strawberry.field(
        graphql_type=list[EquityPoint],
        description="The equity over time, reduced to evenly spread points. Empty until the job has succeeded.",
    )
    async def equity_curve(
        parent: Parent,
        info: Info,
        points: Annotated[
            int, strawberry.argument(description="The greatest number of points, from 1 to 5,000.")
        ] = 500,
    ) -> object:
        return await backtests.equity_curve(info.context, parent, points)

    @connection_field(
        RoundTripConnection,
        description=(
            "The positions, in the order in which they were opened: the first 10,000 of them, if there are more. Empty "
            "until the job has succeeded."
        ),
    )
    async def round_trips(parent: Parent, info: Info, page: PageArguments) -> object:
        return await backtests.round_trips(info.context, parent, page)


BacktestConnection = connection(Backtest, "backtests")
