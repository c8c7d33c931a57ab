"""The input of `optimizationRun`."""

import strawberry

from domain.model.optimizations import OptimizationObjective
from domain.research.optimization_service import OptimizationRequest
from schema.backtests.inputs import BacktestRunInput


@strawberry.input(description="The search to run.")
class OptimizationRunInput:
    backtest: BacktestRunInput = strawberry.field(
        description=(
            "What each trial runs. The parameters of the strategy that have both `min` and `max` are searched, but for "
            "those that are given a value here. `idempotencyKey` makes it safe to repeat the request: the same key "
            "with the same input returns the same optimization."
        )
    )
    trials: int = strawberry.field(
        default=100,
        description=(
            "How many sets of parameters are tried, at most `Plan.maxOptimizationTrials`. The walk-forward folds share "
            "them. If there are fewer different sets, all of them are tried."
        ),
    )
    objective: OptimizationObjective = strawberry.field(
        default=OptimizationObjective.SHARPE, description="The figure to make as large as possible, in sample."
    )
    walk_forward_folds: int = strawberry.field(
        default=1,
        description=(
            "Into how many folds the period is cut, from 1 to 50. Each fold is a search of its own: fitted on its "
            "in-sample part, judged on the part that follows it."
        ),
    )
    seed: int = strawberry.field(
        default=0, description="The same seed leads to the same trials on the same candles, another one to others."
    )

    def to_domain(self) -> OptimizationRequest:
        """Return the request. Raises NOT_FOUND for an id of another type."""
        return OptimizationRequest(
            backtest=self.backtest.to_domain(),
            trials=self.trials,
            objective=self.objective,
            folds=self.walk_forward_folds,
            seed=self.seed,
        )
