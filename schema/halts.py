"""Halts as the API shows them."""

from datetime import datetime

import strawberry

from domain.model import trading_state as domain
from domain.model.trading import Account, TradingSession
from domain.model.users import User
from resolvers import halts
from schema import trading_enums  # noqa: F401  # an enum must be described before any type mentions it
from schema.context import Info
from schema.described import describe_enum

describe_enum(
    domain.HaltLevel,
    "What a halt is of. It holds everything below, from the engine down to the trading session.",
    {
        "ENGINE": "The whole engine, all users.",
        "USER": "Everything of the user.",
        "ACCOUNT": "One account with its trading sessions.",
        "TRADING_SESSION": "One trading session.",
    },
)
describe_enum(
    domain.HaltAuthor,
    "Who made a halt.",
    {
        "SELF": "The user whose trading it holds.",
        "OPERATOR": "An operator of the engine.",
    },
)


@strawberry.type(description="A block of new orders, which holds until `tradingResume`.")
class Halt:
    """The schema's face of `domain.model.trading_state.Halt`."""

    level: domain.HaltLevel = strawberry.field(description="What is halted.")
    since: datetime = strawberry.field(description="When it was made.")
    by: domain.HaltAuthor = strawberry.field(description="Who made it.")

    @strawberry.field(description="Whether positions may still be reduced and closed.")
    def reduce_only(parent: strawberry.Parent[domain.Halt]) -> bool:
        """Tell whether positions may be closed."""
        return parent.state is domain.TradingState.REDUCING

    @strawberry.field(
        description="The reason that was given with it. Null where none was, and for whoever isn't signed in."
    )
    def reason(parent: strawberry.Parent[domain.Halt], info: Info) -> str | None:
        """Return the reason."""
        return halts.reason(info.context, parent)


@strawberry.type
class HaltFields:
    """What everything says of halts that can be halted and belongs to a user."""

    @strawberry.field(
        graphql_type=Halt | None,
        description="The halt of this very object. Null where there is none, also where one above it holds it.",
    )
    async def halt(parent: strawberry.Parent[User | Account | TradingSession], info: Info) -> object:
        """Return the halt."""
        return await halts.own(info.context, parent)

    @strawberry.field(
        graphql_type=list[Halt] | None,
        description="Every halt that holds it, its own and those above it, the engine's first. The strictest counts.",
    )
    async def halts(parent: strawberry.Parent[User | Account | TradingSession], info: Info) -> object:
        """Return the halts."""
        return await halts.holding(info.context, parent)


@strawberry.type
class EngineHaltField:
    """What the engine says of its halt."""

    @strawberry.field(graphql_type=Halt | None, description="The halt of the whole engine, if there is one.")
    async def halt(self, info: Info) -> object:
        """Return the halt."""
        return await halts.of_engine(info.context)
