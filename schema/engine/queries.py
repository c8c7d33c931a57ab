"""The engine's field of the query root."""

import strawberry

from schema.common.types import Info
from schema.engine.types import Engine


@strawberry.type
class EngineQuery:
    @strawberry.field(graphql_type=Engine, description="This engine.")
    def engine(self, info: Info) -> object:
        return info.context.services.engine
