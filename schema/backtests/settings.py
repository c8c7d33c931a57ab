"""How a backtest runs beside its markets and costs: what backtests and optimizations have in common."""

import strawberry

from domain.model.backtests import Backtest
from domain.model.markets import Timeframe
from domain.model.optimizations import Optimization
from schema.accounts.types import RiskLimits

Parent = strawberry.Parent[Backtest | Optimization]


@strawberry.type
class RunSettingsFields:
    """The fields of the settings."""

    @strawberry.field(
        description="How many of the markets may have a position or an entry order at once. Null if all of them may."
    )
    def max_open_positions(parent: Parent) -> int | None:
        return parent.settings.max_open_positions

    @strawberry.field(
        description=(
            "The shorter length of candles that says in which order a candle has reached its prices. Null if none does."
        )
    )
    def detail_timeframe(parent: Parent) -> Timeframe | None:
        return parent.settings.detail_timeframe

    @strawberry.field(
        graphql_type=RiskLimits,
        description="The risk limits that entries must keep, in quote currency. All are null if none was set.",
    )
    def risk_limits(parent: Parent) -> object:
        return parent.settings.risk_limits
