"""The engine and its halts."""

from datetime import datetime

import strawberry

from domain.model import trading_state as domain
from domain.model.strategy_templates import StrategyPlugin as DomainPlugin
from domain.model.trading import Account, TradingSession
from domain.model.trading_state import TradingState
from domain.model.users import User
from resolvers import engine_nodes, halts, oidc, strategies
from resolvers.services import EngineInfo
from schema.common.node import Node, instance_of
from schema.common.types import Info
from schema.engine.nodes import EngineNode


@strawberry.type
class HaltFacts:
    """The fields that a halt and its state at an event have in common."""

    level: domain.HaltLevel = strawberry.field(description="The level at which trading is halted.")
    since: datetime = strawberry.field(description="When the halt was made.")
    by: domain.HaltAuthor = strawberry.field(description="Who made the halt.")
    cancel_orders: bool = strawberry.field(
        description="True if the halt cancels every open order below its level, however it came to be open. "
        "Reduce-only orders and orders that close a position stay open."
    )
    close_positions: bool = strawberry.field(description="True if the halt closes every position below its level.")

    @strawberry.field(description="True if orders that reduce or close a position are still allowed.")
    def reduce_only(parent: strawberry.Parent[domain.Halt]) -> bool:
        return parent.state is domain.TradingState.REDUCING

    @strawberry.field(
        description="The reason that was given for the halt. Null if none was given, or if the caller isn't signed in."
    )
    def reason(parent: strawberry.Parent[domain.Halt], info: Info) -> str | None:
        return halts.visible_reason(info.context, parent)


@strawberry.type(description="A halt of trading. It blocks new orders until `tradingResume`.")
class Halt(HaltFacts): ...


@strawberry.type(description="A halt of trading as it was at the time of an event.")
class HaltState(HaltFacts):
    is_type_of = instance_of(domain.Halt)

    ended_at: datetime | None = strawberry.field(
        description="When the halt was ended. Null if the event is that it was made."
    )


@strawberry.type
class HaltFields:
    """The halts of a user, an account or a trading session."""

    @strawberry.field(
        graphql_type=Halt | None,
        description="The halt of this object itself; if both an operator and the user halted it, the operator's. Null "
        "if it has none, even if a halt at a higher level applies to it.",
    )
    async def halt(parent: strawberry.Parent[User | Account | TradingSession], info: Info) -> object:
        return await halts.own_halt(info.context, parent)

    @strawberry.field(
        graphql_type=list[Halt] | None,
        description=(
            "All halts that apply to this object: its own and those at higher levels, highest level first. Of one "
            "level there can be two, an operator's and the user's own. The strictest one decides."
        ),
    )
    async def halts(parent: strawberry.Parent[User | Account | TradingSession], info: Info) -> object:
        return await halts.effective_halts(info.context, parent)


@strawberry.type(description="An installed Python package that gives strategy templates.")
class StrategyPlugin:
    name: str = strawberry.field(description="The name of the plug-in's entry point in the package.")
    package: str = strawberry.field(description="The name of the package.")
    version: str = strawberry.field(description="The version of the package.")
    templates: list[str] = strawberry.field(description="The names of the templates that it gives.")

    @strawberry.field(description="True if all that the plug-in gives can be used.")
    def working(parent: strawberry.Parent[DomainPlugin]) -> bool:
        return not parent.errors

    @strawberry.field(
        graphql_type=list[str] | None,
        description="What can't be used of the plug-in, and why. Null if the caller isn't an operator.",
    )
    def errors(parent: strawberry.Parent[DomainPlugin], info: Info) -> object:
        return strategies.plugin_errors(info.context, parent)


@strawberry.type(description="An OpenID provider at which users can sign in.")
class SignInProvider:
    name: str = strawberry.field(description="The name, which `oidcStart` takes.")
    label: str = strawberry.field(description="The name to display.")


@strawberry.type(description="This engine.")
class Engine(Node):
    is_type_of = instance_of(EngineInfo)

    version: str = strawberry.field(description="The version of the engine.")
    started_at: datetime = strawberry.field(description="When the node that answers this request started.")

    sends_mail: bool = strawberry.field(
        description="True if the engine has a mail server. Without one it verifies no email addresses, and who has "
        "forgotten the password needs an operator."
    )

    @strawberry.field(
        graphql_type=list[SignInProvider],
        description="The OpenID providers at which users can sign in, besides by password.",
    )
    def sign_in_providers(self, info: Info) -> object:
        return oidc.providers(info.context)

    @strawberry.field(description="True if every part of the node that answers this request works.")
    async def healthy(parent: strawberry.Parent[EngineInfo]) -> bool:
        return await parent.is_healthy()

    @strawberry.field(
        graphql_type=list[StrategyPlugin],
        description="The packages with strategy templates that the node which answers this request found at its start.",
    )
    def strategy_plugins(self, info: Info) -> object:
        return strategies.plugins(info.context)

    @strawberry.field(description="What a halt of the whole engine allows.")
    async def trading_state(self, info: Info) -> TradingState:
        return await halts.engine_state(info.context)

    @strawberry.field(graphql_type=Halt | None, description="The halt of the whole engine. Null if there is none.")
    async def halt(self, info: Info) -> object:
        return await halts.engine_halt(info.context)

    @strawberry.field(
        graphql_type=list[EngineNode] | None,
        description="The nodes of the engine, by name. Those that stopped properly aren't listed. Null if the caller "
        "isn't an operator with the scope ADMIN.",
    )
    async def nodes(self, info: Info) -> object:
        return await engine_nodes.nodes(info.context)
