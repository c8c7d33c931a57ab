"""Optimizations, their folds and their trials."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final

import strawberry

from domain.model import optimizations as domain
from domain.model import trading
from domain.model.optimizations import OptimizationObjective
from resolvers import markets, optimizations
from resolvers.optimizations import StoredFold, StoredTrial, TrialOrder
from resolvers.pagination import PageArguments
from schema.analytics.types import ParameterValue
from schema.backtests.run_fields import StrategyRunFields
from schema.backtests.settings import RunSettingsFields
from schema.common.arguments import connection_field
from schema.common.node import Node, instance_of
from schema.common.pagination import connection
from schema.common.types import Info, lazy
from schema.reports.metrics import PerformanceMetrics
from schema.strategies.types import StrategyDefinition

_OF_ALL_TRIALS: Final = {"cost": 10}
"""What it costs to find out what up to 10,000 trials have come to."""

Parent = strawberry.Parent[domain.Optimization]
TrialParent = strawberry.Parent[StoredTrial]
FoldParent = strawberry.Parent[StoredFold]


@strawberry.type(
    description="One set of parameters, tried on one fold: fitted on the in-sample part, judged on the part after it."
)
class OptimizationTrial:
    @strawberry.field(description="The number of the trial, from 0. The folds take turns.")
    def number(parent: TrialParent) -> int:
        return parent.trial.number

    @strawberry.field(description="The number of the fold, from 0, the oldest.")
    def fold(parent: TrialParent) -> int:
        return parent.trial.fold

    @strawberry.field(
        graphql_type=list[ParameterValue],
        description="The value of each of the strategy's parameters, including those that are not searched.",
    )
    def parameters(parent: TrialParent) -> object:
        return [trading.ParameterValue(name, value) for name, value in parent.trial.parameters.items()]

    @strawberry.field(
        graphql_type=PerformanceMetrics | None,
        description=(
            "The figures of the part that parameters are fitted on. Null until the trial has ended, and if it failed."
        ),
    )
    async def in_sample(parent: TrialParent, info: Info) -> object:
        return await optimizations.in_sample(info.context, parent)

    @strawberry.field(
        graphql_type=PerformanceMetrics | None,
        description=(
            "The figures of the part that judges, which the search does not see. Null until the trial has ended, and "
            "if it failed."
        ),
    )
    async def out_of_sample(parent: TrialParent, info: Info) -> object:
        return await optimizations.out_of_sample(info.context, parent)

    @strawberry.field(
        description=(
            "The value of the objective in sample. Null until the trial has ended, if no position was closed, and if "
            "the figure has no value, as a ratio of too few days."
        )
    )
    def score(parent: TrialParent) -> float | None:
        return None if parent.trial.result is None else parent.trial.result.score

    @strawberry.field(description="Why the trial failed. Null if it did not.")
    def message(parent: TrialParent) -> str | None:
        return None if parent.trial.result is None else parent.trial.result.message


OptimizationTrialConnection = connection(OptimizationTrial, "trials")


@strawberry.type(description="A part of the period to fit parameters on, and the part after it that judges them.")
class OptimizationFold:
    @strawberry.field(description="The number of the fold, from 0, the oldest.")
    def number(parent: FoldParent) -> int:
        return parent.summary.fold.number

    @strawberry.field(description="The start of the in-sample part, inclusive.")
    def in_sample_from(parent: FoldParent) -> datetime:
        return parent.summary.fold.start

    @strawberry.field(description="The end of the in-sample part, exclusive, and the start of the out-of-sample part.")
    def out_of_sample_from(parent: FoldParent) -> datetime:
        return parent.summary.fold.split

    @strawberry.field(description="The end of the out-of-sample part, exclusive.")
    def out_of_sample_to(parent: FoldParent) -> datetime:
        return parent.summary.fold.end

    @strawberry.field(
        graphql_type=OptimizationTrial | None,
        description="The trial with the highest score so far. Null if no trial has a score.",
    )
    def best(parent: FoldParent) -> object:
        return parent.best

    @strawberry.field(
        description=(
            "The probability from 0 to 1 that the best trial is luck: 1 minus the deflated Sharpe ratio of Bailey and "
            "López de Prado (2014) in sample. Null without a best trial, or if its daily returns are too few."
        )
    )
    def luck_probability(parent: FoldParent) -> float | None:
        return parent.summary.luck_probability


@strawberry.type(description="A search for the best values of a strategy's parameters.")
class Optimization(Node, StrategyRunFields, RunSettingsFields):
    is_type_of = instance_of(domain.Optimization)

    objective: OptimizationObjective = strawberry.field(
        description="The figure that is made as large as possible, in sample."
    )
    definition: StrategyDefinition = strawberry.field(description="The definition, as it was at the request.")
    parameters: list[ParameterValue] = strawberry.field(
        description="The parameters that were given a value. They are not searched."
    )
    initial_equity: Decimal = strawberry.field(
        description="What there is at the start of each part, in quote currency."
    )
    seed: int = strawberry.field(description="The seed of the search.")

    @strawberry.field(description="How many trials were requested. There are fewer if fewer sets of parameters exist.")
    def requested_trials(parent: Parent) -> int:
        return parent.trials

    @strawberry.field(
        graphql_type=lazy("markets.types", "Market"),
        description="The market on whose candles the trials run; the first of several.",
    )
    def market(parent: Parent, info: Info) -> object:
        return markets.market(info.context, parent.market.symbol)

    @strawberry.field(
        graphql_type=list[lazy("markets.types", "Market")],  # type: ignore[misc]  # a type by its name
        description="All markets on whose candles the trials run, in the order of the request.",
    )
    def markets(parent: Parent, info: Info) -> object:
        return [markets.market(info.context, market.symbol) for market in parent.markets]

    @strawberry.field(
        metadata=_OF_ALL_TRIALS,
        graphql_type=OptimizationTrial | None,
        description=(
            "The trial of the newest fold with the highest score so far, the earliest of equal ones. Null if no trial "
            "has a score. Look at its `outOfSample` first: the search chose `inSample`."
        ),
    )
    async def best(parent: Parent, info: Info) -> object:
        return await optimizations.best(info.context, parent)

    @strawberry.field(
        metadata=_OF_ALL_TRIALS,
        description=(
            "The probability from 0 to 1 that `best` is luck, given how many trials there were: 1 minus the deflated "
            "Sharpe ratio of Bailey and López de Prado (2014) in sample. Null without a best trial, or if its daily "
            "returns are too few."
        ),
    )
    async def luck_probability(parent: Parent, info: Info) -> float | None:
        return await optimizations.luck_probability(info.context, parent)

    @strawberry.field(
        metadata=_OF_ALL_TRIALS,
        graphql_type=list[OptimizationFold],
        description=(
            "The walk-forward folds, the oldest first. The best trials of the older ones show what the same search "
            "would have led to at their time."
        ),
    )
    async def folds(parent: Parent, info: Info) -> Sequence[object]:
        return await optimizations.folds(info.context, parent)

    @connection_field(OptimizationTrialConnection, description="The trials so far, those that run included.")
    async def trials(
        parent: Parent,
        info: Info,
        page: PageArguments,
        fold: Annotated[
            int | None, strawberry.argument(description="Only the trials of the fold with this number.")
        ] = None,
        order_by: Annotated[
            TrialOrder,
            strawberry.argument(
                description="The order of the list. A cursor is only valid with the order in which it was returned."
            ),
        ] = TrialOrder.NUMBER,
    ) -> object:
        return await optimizations.trials(info.context, parent, page, order_by, fold)


OptimizationConnection = connection(Optimization, "optimizations")
