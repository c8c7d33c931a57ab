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


@strawberry.type(description="The result of validating a strategy definition.")
class StrategyValidation:
    """The answer of `strategyValidate`."""

    valid: bool = strawberry.field(description="True if the definition can run, so that `errors` is empty.")
    lookback: int | None = strawberry.field(
        description="The number of closed candles that are needed before the first signal. Null if there are errors."
    )
    errors: list[StrategyDefinitionError] = strawberry.field(
        description="All errors of the definition, including parts that are not supported yet."
    )


@strawberry.type(description="A version of a strategy. It never changes.")
class StrategyVersion(Node, StrategySessionList):
    """The schema's face of `domain.model.strategies.StrategyVersion`."""

    is_type_of = serves(domain.StrategyVersion)

    number: int = strawberry.field(description="The number of the version. It counts from 1.")
    created_at: datetime = strawberry.field(description="When the version was created.")
    definition: StrategyDefinition = strawberry.field(description="The definition of this version.")

    @strawberry.field(graphql_type=lazy("strategies", "Strategy"), description="The strategy of this version.")
    async def strategy(parent: strawberry.Parent[domain.StrategyVersion], info: Info) -> object:
        """Return the strategy."""
        return await strategies.strategy_of(info.context, parent)


@strawberry.type(description="A strategy version in a list, with its cursor.")
class StrategyVersionEdge(Edge[StrategyVersion]):
    """See `Edge`."""


@strawberry.type(description="One page of a list of strategy versions.")
class StrategyVersionConnection(CountedConnection[StrategyVersion, StrategyVersionEdge]):
    """See `Connection`."""


@strawberry.type(description="A named strategy. Each change of its definition creates a new version.")
class Strategy(Node, StrategySessionList):
    """The schema's face of `domain.model.strategies.Strategy`."""

    is_type_of = serves(domain.Strategy)

    name: str = strawberry.field(description="The name that the user gave the strategy.")
    description: str | None = strawberry.field(
        description="The user's description of the strategy. Null if there is none."
    )
    created_at: datetime = strawberry.field(description="When the strategy was created.")
    archived_at: datetime | None = strawberry.field(
        description="When the strategy was archived. Null if it isn't archived."
    )

    @strawberry.field(graphql_type=StrategyVersion, description="The newest version.")
    async def version(parent: strawberry.Parent[domain.Strategy], info: Info) -> object:
        """Return the newest version."""
        return await strategies.newest_version(info.context, parent)

    @strawberry.field(
        graphql_type=StrategyVersionConnection, description="All versions. By default the newest comes first."
    )
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


@strawberry.type(description="A strategy in a list, with its cursor.")
class StrategyEdge(Edge[Strategy]):
    """See `Edge`."""


@strawberry.type(description="One page of a list of strategies.")
class StrategyConnection(CountedConnection[Strategy, StrategyEdge]):
    """See `Connection`."""


@strawberry.input(description="The strategy to create.")
class StrategyCreateInput:
    """The input of `strategyCreate`."""

    name: str = strawberry.field(description="The name of the strategy, of 1 to 100 printable characters.")
    description: str | None = strawberry.field(
        default=None, description="A description of the strategy, of at most 2,000 characters."
    )
    definition: StrategyDefinitionInput = strawberry.field(description="The definition of the first version.")
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "Makes it safe to repeat the request: the same key with the same input returns the strategy of the first "
            "request. At most 128 characters."
        ),
    )


@strawberry.input(description="The changes of a strategy. A field that isn't given keeps its value.")
class StrategyUpdateInput:
    """The input of `strategyUpdate`."""

    name: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new name of the strategy, of 1 to 100 printable characters. It can't be null.",
    )
    description: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new description of the strategy, of at most 2,000 characters. Null removes it.",
    )
    definition: StrategyDefinitionInput | None = strawberry.field(
        default=strawberry.UNSET, description="The definition of a new version. It can't be null."
    )
    expected_version: int | None = strawberry.field(
        default=None,
        description=(
            "The number of the newest version that you know. If there is a newer one, the result is the error "
            "CONFLICT. By default this isn't checked."
        ),
    )


@strawberry.type(description="The result of `strategyCreate`.")
class StrategyCreatePayload(Payload):
    """The answer of `strategyCreate`."""

    strategy: Strategy | None = strawberry.field(description="The new strategy. Null if there are errors.")


@strawberry.type(description="The result of `strategyUpdate`.")
class StrategyUpdatePayload(Payload):
    """The answer of `strategyUpdate`."""

    strategy: Strategy | None = strawberry.field(description="The strategy after the change. Null if there are errors.")
    version: StrategyVersion | None = strawberry.field(
        description="The new version. Null if there are errors, or if no definition was given."
    )


@strawberry.type(description="The result of `strategyArchive`.")
class StrategyArchivePayload(Payload):
    """The answer of `strategyArchive`."""

    strategy: Strategy | None = strawberry.field(description="The archived strategy. Null if there are errors.")


@strawberry.type
class StrategyQuery:
    """The strategies' part of the query root."""

    @strawberry.field(description="Validate a strategy definition without storing it.")
    def strategy_validate(
        self,
        definition: Annotated[StrategyDefinitionInput, strawberry.argument(description="The definition to validate.")],
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

    @strawberry.mutation(
        description=(
            "Create a strategy with its first version. The definition is stored even if it can't run: see "
            "`strategyValidate`."
        )
    )
    @payload(StrategyCreatePayload)
    async def strategy_create(
        self, info: Info, input: Annotated[StrategyCreateInput, INPUT]
    ) -> StrategyCreatePayload | None:
        """Make a strategy."""
        info.context.require(ApiScope.TRADE)
        request = StrategyRequest(input.name, input.description, input.definition.to_domain())
        strategy = await strategies.create(info.context, request, input.idempotency_key)
        return answer(StrategyCreatePayload, strategy=strategy)

    @strawberry.mutation(description="Change the name or the description of a strategy, or create a new version.")
    @payload(StrategyUpdatePayload)
    async def strategy_update(
        self,
        info: Info,
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of the strategy.")],
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

    @strawberry.mutation(description="Archive a strategy. Trading sessions that run it continue.")
    @payload(StrategyArchivePayload)
    async def strategy_archive(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the strategy.")]
    ) -> StrategyArchivePayload | None:
        """Archive a strategy."""
        info.context.require(ApiScope.TRADE)
        strategy = await strategies.archive(info.context, decode_uuid(id, "Strategy", ("id",)))
        return answer(StrategyArchivePayload, strategy=strategy)
