"""The fields that backtests and optimizations have in common: what was asked for, and the job that computes it."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.model.backtests import Backtest
from domain.model.markets import Timeframe
from domain.model.optimizations import Optimization
from resolvers import strategy_runs
from schema.common.types import Info
from schema.jobs.types import Job
from schema.strategies.types import StrategyVersion

Run = strawberry.Parent[Backtest | Optimization]


@strawberry.type
class StrategyRunFields:
    created_at: datetime = strawberry.field(description="When it was requested.")
    timeframe: Timeframe = strawberry.field(description="The length of the candles.")
    taker_fee_percent: Decimal = strawberry.field(description="The fee of orders that take liquidity, in percent.")
    maker_fee_percent: Decimal = strawberry.field(description="The fee of orders that rested, in percent.")
    slippage_bps: Decimal = strawberry.field(
        description="How much worse than the candle's price an order fills that takes liquidity, in basis points."
    )
    latency_milliseconds: int = strawberry.field(
        description="The time from a decision until its order is at the venue."
    )

    @strawberry.field(name="from", description="The start of the period, inclusive.")
    def from_(parent: Run) -> datetime:
        return parent.period_start

    @strawberry.field(description="The end of the period, exclusive.")
    def to(parent: Run) -> datetime:
        return parent.period_end

    @strawberry.field(
        graphql_type=StrategyVersion | None,
        description="The strategy version that was requested. Null if a definition was given instead.",
    )
    async def strategy_version(parent: Run, info: Info) -> object:
        return await strategy_runs.strategy_version(info.context, parent)

    @strawberry.field(graphql_type=Job, description="The job that computes it.")
    async def job(parent: Run, info: Info) -> object:
        return await strategy_runs.job(info.context, parent)
