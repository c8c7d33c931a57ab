"""Recommendations of strategies for a market."""

from datetime import datetime

import strawberry

from schema.analytics.types import ParameterValue, Trend
from schema.common.types import lazy
from schema.reports.metrics import PerformanceMetrics
from schema.strategies.types import StrategyTemplate


@strawberry.type(
    description=(
        "A strategy that may suit a market now, by a walk-forward analysis of the newest 2,000 candles. "
        "`docs/strategies.md` describes how it is computed. It is no promise: past results "
        "say little, and `score` says how little."
    )
)
class StrategyRecommendation:
    strategy: lazy("strategies.types", "Strategy") | None = strawberry.field(  # type: ignore[valid-type]  # an annotation made at run time
        description="The user's strategy, in its newest version. Null if a template is recommended."
    )
    template: StrategyTemplate | None = strawberry.field(
        description="The template. Null if a strategy of the user is recommended."
    )
    score: float = strawberry.field(
        description=(
            "The probability, from 0 to 1, that what the strategy earned is more than luck: the deflated Sharpe ratio "
            "of its returns, in which those in past stretches of the present trend count most. 0 if it earned nothing."
        )
    )
    trend: Trend = strawberry.field(description="The present trend of the market, for which the strategies are ranked.")
    reason: str = strawberry.field(description="Why the strategy is ranked like that, in a few sentences.")
    metrics: PerformanceMetrics = strawberry.field(
        description=(
            "The metrics of the out-of-sample parts, one after the other, from 10,000 in quote currency on, with the "
            "market's fees and slippage."
        )
    )
    parameters: list[ParameterValue] = strawberry.field(
        description=(
            "The values of all parameters that did best on the newest candles, to be given to `tradingSessionStart`."
        )
    )
    computed_at: datetime = strawberry.field(
        description="When the results were computed. `trend` and the ranking are of the request."
    )
