"""Strategies as the API shows them."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.model import strategies as domain
from domain.model.users import ApiScope
from domain.trading.strategies import StrategyRequest
from resolvers import strategies
from resolvers.lists import TimeOrder
from resolvers.pagination import PageArguments
from schema.changes import change, replacement
from schema.context import Info
from schema.definitions import StrategyDefinition, StrategyDefinitionError, StrategyDefinitionInput
from schema.errors import INPUT, Payload, answer, payload, user_error
from schema.lazy import lazy
from schema.lists import OrderBy
from schema.node import Node, decode_uuid, serves
from schema.owned_lists import StrategySessionList
from schema.pagination import After, Before, CountedConnection, Edge, First, Last


@strawberry.type(description="Whether a definition can be run.")
class StrategyValidation:
    """The answer of `strategyValidate`."""

    valid: bool = strawberry.field(description="Whether there are no errors.")
    lookback: int | None = strawberry.field(description="How many closed candles come before the first signal.")
    errors: list[StrategyDefinitionError] = strawberry.field(
        description="Everything that is wrong with the definition, or can't be carried out yet."
    )


@strawberry.type(description="A strategy as it was at one time, which never changes.")
class StrategyVersion(Node, StrategySessionList):
    """The schema's face of `domain.model.strategies.StrategyVersion`."""

    is_type_of = serves(domain.StrategyVersion)

    number: int = strawberry.field(description="The number of the version, counted from 1.")
    created_at: datetime = strawberry.field(description="When it was made.")
    definition: StrategyDefinition = strawberry.field(description="The rules, exits and sizing of this version.")

    @strawberry.field(graphql_type=lazy("strategies", "Strategy"), description="The strategy that it is a version of.")
    async def strategy(parent: strawberry.Parent[domain.StrategyVersion], info: Info) -> object:
        """Return the strategy."""
        return await strategies.strategy_of(info.context, parent)


@strawberry.type(description="A strategy version in a list.")
class StrategyVersionEdge(Edge[StrategyVersion]):
    """See `Edge`."""


@strawberry.type(description="Strategy versions, a page at a time.")
class StrategyVersionConnection(CountedConnection[StrategyVersion, StrategyVersionEdge]):
    """See `Connection`."""


@strawberry.type(description="A named definition; each change makes a new version.")
class Strategy(Node, StrategySessionList):
    """The schema's face of `domain.model.strategies.Strategy`."""

    is_type_of = serves(domain.Strategy)

    name: str = strawberry.field(description="What the user calls it.")
    description: str | None = strawberry.field(description="What the user says of it.")
    created_at: datetime = strawberry.field(description="When it was made.")
    archived_at: datetime | None = strawberry.field(description="When it was put away.")

    @strawberry.field(graphql_type=StrategyVersion, description="The newest version.")
    async def version(parent: strawberry.Parent[domain.Strategy], info: Info) -> object:
        """Return the newest version."""
        return await strategies.newest_version(info.context, parent)

    @strawberry.field(graphql_type=StrategyVersionConnection, description="All versions, newest first.")
    async def versions(
        parent: strawberry.Parent[domain.Strategy],
        info: Info,
        first: First = None,
        after: After = None,
        last: Last = None,
        before: Before = None,
        order_by: OrderBy = TimeOrder.NEWEST_FIRST,
    ) -> object:
        """Return the page."""
        return await strategies.versions(info.context, parent, PageArguments(first, after, last, before), order_by)


@strawberry.type(description="A strategy in a list.")
class StrategyEdge(Edge[Strategy]):
    """See `Edge`."""


@strawberry.type(description="Strategies, a page at a time.")
class StrategyConnection(CountedConnection[Strategy, StrategyEdge]):
    """See `Connection`."""


@strawberry.input(description="What the strategy is to be.")
class StrategyCreateInput:
    """The input of `strategyCreate`."""

    name: str = strawberry.field(description="What the user calls it.")
    description: str | None = strawberry.field(default=None, description="What the user says of it.")
    definition: StrategyDefinitionInput = strawberry.field(description="The first version.")
    idempotency_key: str | None = strawberry.field(
        default=None, description="The same key with the same input gives the same strategy."
    )


@strawberry.input(
    description="With `expectedVersion`, a version that someone else has made in between answers with CONFLICT."
)
class StrategyUpdateInput:
    """The input of `strategyUpdate`."""

    name: str | None = strawberry.field(
        default=strawberry.UNSET, description="What the user calls it. It can't be null."
    )
    description: str | None = strawberry.field(
        default=strawberry.UNSET, description="What the user says of it. Null takes the description away."
    )
    definition: StrategyDefinitionInput | None = strawberry.field(
        default=strawberry.UNSET, description="The definition of a new version. It can't be null."
    )
    expected_version: int | None = strawberry.field(default=None, description="The newest version as last read.")


@strawberry.type(description="The answer of `strategyCreate`.")
class StrategyCreatePayload(Payload):
    """The answer of `strategyCreate`."""

    strategy: Strategy | None = strawberry.field(description="The strategy; null where there are errors.")


@strawberry.type(description="The answer of `strategyUpdate`.")
class StrategyUpdatePayload(Payload):
    """The answer of `strategyUpdate`."""

    strategy: Strategy | None = strawberry.field(description="The strategy; null where there are errors.")
    version: StrategyVersion | None = strawberry.field(
        description="The version that the change has made. Null where there are errors, and where no definition was "
        "given."
    )


@strawberry.type(description="The answer of `strategyArchive`.")
class StrategyArchivePayload(Payload):
    """The answer of `strategyArchive`."""

    strategy: Strategy | None = strawberry.field(description="The strategy; null where there are errors.")


@strawberry.type
class StrategyQuery:
    """The strategies' part of the query root."""

    @strawberry.field(description="Whether a definition can be run, and all that is wrong with it.")
    def strategy_validate(
        self,
        definition: Annotated[StrategyDefinitionInput, strawberry.argument(description="What would be stored.")],
    ) -> StrategyValidation:
        """Validate a definition."""
        result = strategies.validate(definition.to_domain())
        errors = [user_error(error) for error in result.errors]
        return StrategyValidation(
            valid=result.valid,
            lookback=result.lookback,
            errors=errors,  # type: ignore[arg-type]  # a DefinitionError is shown as nothing else
        )


@strawberry.type
class StrategyMutation:
    """The strategies' part of the mutation root."""

    @strawberry.mutation(description="Make a strategy with its first version.")
    @payload(StrategyCreatePayload)
    async def strategy_create(
        self, info: Info, input: Annotated[StrategyCreateInput, INPUT]
    ) -> StrategyCreatePayload | None:
        """Make a strategy."""
        info.context.require(ApiScope.TRADE)
        request = StrategyRequest(input.name, input.description, input.definition.to_domain())
        strategy = await strategies.create(info.context, request, input.idempotency_key)
        return answer(StrategyCreatePayload, strategy=strategy)

    @strawberry.mutation(description="Change name or description, or make a new version.")
    @payload(StrategyUpdatePayload)
    async def strategy_update(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The strategy.")],
        input: Annotated[StrategyUpdateInput, INPUT],
    ) -> StrategyUpdatePayload | None:
        """Change a strategy."""
        info.context.require(ApiScope.TRADE)
        strategy, version = await strategies.update(
            info.context,
            decode_uuid(id, "Strategy", ("id",)),
            change(input.name),
            change(input.description),
            replacement(input.definition),
            input.expected_version,
        )
        return answer(StrategyUpdatePayload, strategy=strategy, version=version)

    @strawberry.mutation(description="Put a strategy away; sessions that run it go on.")
    @payload(StrategyArchivePayload)
    async def strategy_archive(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The strategy.")]
    ) -> StrategyArchivePayload | None:
        """Archive a strategy."""
        info.context.require(ApiScope.TRADE)
        strategy = await strategies.archive(info.context, decode_uuid(id, "Strategy", ("id",)))
        return answer(StrategyArchivePayload, strategy=strategy)
