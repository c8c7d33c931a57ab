"""Indicators as the API shows them."""

from decimal import Decimal

import strawberry

from domain.indicators.catalogue import ParameterKind
from resolvers import analytics
from schema import enums  # noqa: F401  # an enum must be described before any type mentions it


@strawberry.type(description="A number that an indicator is computed with.")
class IndicatorParameter:
    """The schema's face of `domain.indicators.catalogue.IndicatorParameter`."""

    name: str = strawberry.field(description="As it is given by name.")
    default: Decimal = strawberry.field(description="Its value where none is given.")
    kind: ParameterKind = strawberry.field(description="What values it takes.")
    minimum: Decimal = strawberry.field(description="The least value, included.")
    maximum: Decimal = strawberry.field(description="The greatest value, included.")


@strawberry.type(description="An indicator of TA-Lib, callable in rules by its name.")
class IndicatorDefinition:
    """The schema's face of `domain.indicators.catalogue.IndicatorDefinition`."""

    name: str = strawberry.field(description="In lower case, as rules write it.")
    title: str = strawberry.field(description="The name of the indicator in words.")
    group: str = strawberry.field(description="What kind of indicator it is.")
    inputs: list[str] = strawberry.field(description="The series that it reads, in order.")
    parameters: list[IndicatorParameter] = strawberry.field(
        description="The parameters, in the order in which rules write them."
    )
    outputs: list[str] = strawberry.field(description="The series that it gives, in order.")


@strawberry.type
class AnalyticsQuery:
    """The analytics' part of the query root."""

    @strawberry.field(graphql_type=list[IndicatorDefinition], description="Every indicator, in the order of names.")
    def indicators(self) -> object:
        """Return the catalogue."""
        return analytics.indicators()
