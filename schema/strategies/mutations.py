"""Creating, changing and archiving strategies."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from domain.trading.strategies import StrategyRequest
from resolvers import strategies
from schema.common.changes import change, replacement
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.node import decode_uuid
from schema.common.types import Info
from schema.strategies.inputs import StrategyCreateInput, StrategyUpdateInput
from schema.strategies.types import Strategy, StrategyVersion


@strawberry.type(description="The result of `strategyCreate`.")
class StrategyCreatePayload(Payload):
    strategy: Strategy | None = strawberry.field(description="The new strategy. Null if there are errors.")


@strawberry.type(description="The result of `strategyUpdate`.")
class StrategyUpdatePayload(Payload):
    strategy: Strategy | None = strawberry.field(description="The strategy after the change. Null if there are errors.")
    version: StrategyVersion | None = strawberry.field(
        description="The new version. Null if there are errors, or if no definition was given."
    )


@strawberry.type(description="The result of `strategyArchive`.")
class StrategyArchivePayload(Payload):
    strategy: Strategy | None = strawberry.field(description="The archived strategy. Null if there are errors.")


@strawberry.type
class StrategyMutation:
    @mutation(
        StrategyCreatePayload,
        scope=ApiScope.TRADE,
        description=(
            "Create a strategy with its first version. The definition is stored even if it can't run: see "
            "`strategyValidate`."
        ),
    )
    async def strategy_create(self, info: Info, input: Annotated[StrategyCreateInput, INPUT]) -> Fields:
        request = StrategyRequest(input.name, input.description, input.definition.to_domain())
        strategy = await strategies.create(info.context, request, input.idempotency_key)
        return {"strategy": strategy}

    @mutation(
        StrategyUpdatePayload,
        scope=ApiScope.TRADE,
        description="Change the name or the description of a strategy, or create a new version.",
    )
    async def strategy_update(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the strategy.")],
        input: Annotated[StrategyUpdateInput, INPUT],
    ) -> Fields:
        strategy, version = await strategies.update(
            info.context,
            decode_uuid(id, "Strategy", ("id",)),
            change(input.name),
            change(input.description),
            replacement(input.definition),
            input.expected_version,
        )
        return {"strategy": strategy, "version": version}

    @mutation(
        StrategyArchivePayload,
        scope=ApiScope.TRADE,
        description="Archive a strategy. Trading sessions that run it continue.",
    )
    async def strategy_archive(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the strategy.")]
    ) -> Fields:
        strategy = await strategies.archive(info.context, decode_uuid(id, "Strategy", ("id",)))
        return {"strategy": strategy}
