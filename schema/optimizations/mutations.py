"""Requesting optimizations."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import optimizations
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.types import Info
from schema.optimizations.inputs import OptimizationRunInput
from schema.optimizations.types import Optimization


@strawberry.type(description="The result of `optimizationRun`.")
class OptimizationRunPayload(Payload):
    optimization: Optimization | None = strawberry.field(description="The optimization. Null if there are errors.")


@strawberry.type
class OptimizationMutation:
    @mutation(
        OptimizationRunPayload,
        scope=ApiScope.READ,
        description=(
            "Start a search for the best values of a strategy's parameters. `Optimization.job` shows its progress, "
            "`jobCancel` ends it; its trials are kept and can be read while it runs. Candles that are missing are "
            "fetched from the venue first. The newest 100 optimizations of a user are kept."
        ),
    )
    async def optimization_run(self, info: Info, input: Annotated[OptimizationRunInput, INPUT]) -> Fields:
        key = input.backtest.idempotency_key
        return {"optimization": await optimizations.run(info.context, input.to_domain(), key)}
