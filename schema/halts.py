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
    (
        "The level at which trading is halted. A halt also applies to everything below it: ENGINE is above USER, USER "
        "above ACCOUNT, and ACCOUNT above TRADING_SESSION."
    ),
    {
        "ENGINE": "The whole engine, with all users.",
        "USER": "One user, with all accounts.",
        "ACCOUNT": "One account, with all its trading sessions.",
        "TRADING_SESSION": "One trading session.",
    },
)
describe_enum(
    domain.HaltAuthor,
    "Who made a halt.",
    {
        "SELF": "The user whose trading is halted.",
        "OPERATOR": "An operator of the engine.",
    },
)


@strawberry.type(description="A halt of trading. It blocks new orders until `tradingResume`.")
class Halt:
    """The schema's face of `domain.model.trading_state.Halt`."""

    level: domain.HaltLevel = strawberry.field(description="The level at which trading is halted.")
    since: datetime = strawberry.field(description="When the halt was made.")
    by: domain.HaltAuthor = strawberry.field(description="Who made the halt.")

    @strawberry.field(description="True if orders that reduce or close a position are still allowed.")
    def reduce_only(parent: strawberry.Parent[domain.Halt]) -> bool:
        """Tell whether positions may be closed."""
        return parent.state is domain.TradingState.REDUCING

    @strawberry.field(
        description="The reason that was given for the halt. Null if none was given, or if the caller isn't signed in."
    )
    def reason(parent: strawberry.Parent[domain.Halt], info: Info) -> str | None:
        """Return the reason."""
        return halts.reason(info.context, parent)


@strawberry.type
class HaltFields:
    """What everything says of halts that can be halted and belongs to a user."""

    @strawberry.field(
        graphql_type=Halt | None,
        description="The halt of this object itself. Null if it has none, even if a halt at a higher level applies to "
        "it.",
    )
    async def halt(parent: strawberry.Parent[User | Account | TradingSession], info: Info) -> object:
        """Return the halt."""
        return await halts.own(info.context, parent)

    @strawberry.field(
        graphql_type=list[Halt] | None,
        description=(
            "All halts that apply to this object: its own and those at higher levels, highest level first. The "
            "strictest one decides."
        ),
    )
    async def halts(parent: strawberry.Parent[User | Account | TradingSession], info: Info) -> object:
        """Return the halts."""
        return await halts.holding(info.context, parent)


@strawberry.type
class EngineHaltField:
    """What the engine says of its halt."""

    @strawberry.field(graphql_type=Halt | None, description="The halt of the whole engine. Null if there is none.")
    async def halt(self, info: Info) -> object:
        """Return the halt."""
        return await halts.of_engine(info.context)
