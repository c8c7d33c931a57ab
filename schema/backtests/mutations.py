"""Requesting backtests."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import backtests
from schema.backtests.inputs import BacktestRunInput
from schema.backtests.types import Backtest
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.types import Info


@strawberry.type(description="The result of `backtestRun`.")
class BacktestRunPayload(Payload):
    backtest: Backtest | None = strawberry.field(description="The backtest. Null if there are errors.")


@strawberry.type
class BacktestMutation:
    @mutation(
        BacktestRunPayload,
        scope=ApiScope.READ,
        description=(
            "Start a backtest. `Backtest.job` shows its progress, `jobCancel` ends it. Candles that are missing are "
            "fetched from the venue first. The newest 1,000 backtests of a user are kept."
        ),
    )
    async def backtest_run(self, info: Info, input: Annotated[BacktestRunInput, INPUT]) -> Fields:
        return {"backtest": await backtests.run(info.context, input.to_domain(), input.idempotency_key)}
