"""Backtests and their results."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

import strawberry

from domain.model import backtests as domain
from domain.model.markets import Timeframe
from resolvers import backtests, markets
from resolvers.pagination import PageArguments
from schema.analytics.types import ParameterValue
from schema.common.arguments import connection_field
from schema.common.node import Node, instance_of
from schema.common.pagination import connection
from schema.common.types import Info, lazy
from schema.jobs.types import Job
from schema.reports.metrics import PerformanceMetrics
from schema.reports.types import EquityPoint, RoundTripConnection
from schema.strategies.types import StrategyDefinition, StrategyVersion

Parent = strawberry.Parent[domain.Backtest]


@strawberry.type(description="A strategy that ran on past candles, and what it came to.")
class Backtest(Node):
    is_type_of = instance_of(domain.Backtest)

    created_at: datetime = strawberry.field(description="When the backtest was requested.")
    definition: StrategyDefinition = strawberry.field(description="The definition that ran, as it was at the request.")
    parameters: list[ParameterValue] = strawberry.field(
        description="The value of each of the strategy's parameters, including those with their default value."
    )
    timeframe: Timeframe = strawberry.field(description="The length of the candles.")
    initial_equity: Decimal = strawberry.field(description="What there was at the start, in quote currency.")
    taker_fee_percent: Decimal = strawberry.field(description="The fee of orders that take liquidity, in percent.")
    maker_fee_percent: Decimal = strawberry.field(description="The fee of orders that rested, in percent.")
    slippage_bps: Decimal = strawberry.field(
        description="How much worse than the candle's price a MARKET order filled, in basis points."
    )
    latency_milliseconds: int = strawberry.field(
        description="The time from a decision until its order was at the venue."
    )

    @strawberry.field(name="from", description="The start of the period, inclusive.")
    def from_(parent: Parent) -> datetime:
        return parent.period_start

    @strawberry.field(description="The end of the period, exclusive.")
    def to(parent: Parent) -> datetime:
        return parent.period_end

    @strawberry.field(
        graphql_type=StrategyVersion | None,
        description="The strategy version that was requested. Null if a definition was given instead.",
    )
    async def strategy_version(parent: Parent, info: Info) -> object:
        return await backtests.strategy_version(info.context, parent)

    @strawberry.field(
        graphql_type=lazy("markets.types", "Market"), description="The market on whose candles the strategy ran."
    )
    def market(parent: Parent, info: Info) -> object:
        return markets.market(info.context, parent.market)

    @strawberry.field(graphql_type=Job, description="The job that computes the backtest.")
    async def job(parent: Parent, info: Info) -> object:
        return await backtests.job(info.context, parent)

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
