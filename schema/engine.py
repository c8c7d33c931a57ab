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

    version: str = strawberry.field(description="Its version.")
    started_at: datetime = strawberry.field(description="When the answering node started.")

    @strawberry.field(description="Whether every part of the answering node works now.")
    async def healthy(parent: strawberry.Parent[EngineInfo]) -> bool:
        """Tell whether the node works."""
        return await parent.is_healthy()

    @strawberry.field(description="Whether anything may trade.")
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
