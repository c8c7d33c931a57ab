"""The catalogue of indicators, in the query root."""

import strawberry

from resolvers import analytics
from schema.analytics.types import IndicatorDefinition


@strawberry.type
class AnalyticsQuery:
    @strawberry.field(graphql_type=list[IndicatorDefinition], description="All indicators, sorted by name.")
    def indicators(self) -> object:
        return analytics.indicators()
