"""What the bias checks of a backtest have found."""

from datetime import datetime

import strawberry


@strawberry.type(description="Runs over candles that end early, compared with the backtest until then.")
class LookAheadCheck:
    runs: int = strawberry.field(description="How many such runs there were.")
    different: list[datetime] = strawberry.field(
        description=(
            "The ends of those runs whose trades until then differ from the backtest's. Empty if nothing looks ahead."
        )
    )


@strawberry.type(
    description="How far the value of a function after its warm-up is off the one over all candles before it."
)
class WarmUpCheck:
    function: str = strawberry.field(description="The function with its parameters, such as ema(12).")
    candles: int = strawberry.field(description="How many candles the function itself needs before its first value.")
    samples: int = strawberry.field(
        description="At how many candles the values were compared. 0 if there are too few candles."
    )
    deviation: float | None = strawberry.field(
        description=(
            "The greatest difference, as a fraction of the value. Null if there was a value over the one and none over "
            "the other."
        )
    )


@strawberry.type(description="The values that 5, 50 and 95 of 100 random runs are below.")
class Quantiles:
    low: float = strawberry.field(description="The value, in percent, that 5 of 100 runs are below.")
    median: float = strawberry.field(description="The value, in percent, that half of the runs are below.")
    high: float = strawberry.field(description="The value, in percent, that 95 of 100 runs are below.")


@strawberry.type(description="The closed round trips in random orders, and as many of them drawn at random.")
class MonteCarlo:
    runs: int = strawberry.field(description="How many random orders and draws there were.")
    seed: int = strawberry.field(description="The seed of the random numbers. The same seed gives the same figures.")
    trips: int = strawberry.field(description="How many round trips were closed.")
    actual_drawdown: float = strawberry.field(
        description="The greatest drawdown of the round trips in their own order, in percent."
    )
    drawdown: Quantiles = strawberry.field(
        description="The greatest drawdowns of the random orders, all of which end at the same equity."
    )
    deeper_percent: float = strawberry.field(
        description="How many of the random orders have a deeper drawdown than their own order has, in percent."
    )
    profit: Quantiles = strawberry.field(
        description="The profits of as many round trips drawn at random, each of which may be drawn more than once."
    )
    loss_percent: float = strawberry.field(description="How many of those draws end with a loss, in percent.")


@strawberry.type(description="The checks of a backtest that say what its result may be worth.")
class BacktestChecks:
    look_ahead: LookAheadCheck = strawberry.field(
        description="Whether the backtest makes the same trades on candles that end early."
    )
    warm_up: list[WarmUpCheck] = strawberry.field(
        description="How exact each function of the rules is after its warm-up, the least exact first."
    )
    monte_carlo: MonteCarlo | None = strawberry.field(
        description=(
            "What came of the order of the round trips, and of which there were. Null if fewer than 10 were closed."
        )
    )
