"""The engine itself as the API shows it."""

from datetime import datetime

import strawberry

from domain.model.trading_state import TradingState
from resolvers.engine import EngineInfo, trading_state
from schema.context import Info
from schema.halts import EngineHaltField
from schema.node import Node, serves


@strawberry.type(description="This engine.")
class Engine(Node, EngineHaltField):
    """The schema's face of `resolvers.engine.EngineInfo`."""

    is_type_of = serves(EngineInfo)

    version: str = strawberry.field(description="The version of the engine.")
    started_at: datetime = strawberry.field(description="When the node that answers this request started.")

    @strawberry.field(description="True if every part of the node that answers this request works.")
    async def healthy(parent: strawberry.Parent[EngineInfo]) -> bool:
        """Tell whether the node works."""
        return await parent.is_healthy()

    @strawberry.field(description="What a halt of the whole engine allows.")
    async def trading_state(self, info: Info) -> TradingState:
        """Return the engine's trading state."""
        return await trading_state(info.context.services.database)


@strawberry.type
class EngineQuery:
    """The engine's part of the query root."""

    @strawberry.field(graphql_type=Engine, description="This engine.")
    def engine(self, info: Info) -> object:
        """Return the engine."""
        return info.context.services.engine
