"""Indicators as the API shows them."""

from decimal import Decimal

import strawberry

from domain.indicators.catalogue import ParameterKind
from resolvers import analytics
from schema import enums  # noqa: F401  # an enum must be described before any type mentions it


@strawberry.type(description="A parameter of an indicator.")
class IndicatorParameter:
    """The schema's face of `domain.indicators.catalogue.IndicatorParameter`."""

    name: str = strawberry.field(description="The name of the parameter.")
    default: Decimal = strawberry.field(description="The value that is used if none is given.")
    kind: ParameterKind = strawberry.field(description="Which values the parameter accepts.")
    minimum: Decimal = strawberry.field(description="The least value that is allowed.")
    maximum: Decimal = strawberry.field(description="The greatest value that is allowed.")


@strawberry.type(description="An indicator of TA-Lib. Strategy rules call it by its name.")
class IndicatorDefinition:
    """The schema's face of `domain.indicators.catalogue.IndicatorDefinition`."""

    name: str = strawberry.field(description="The name of the indicator in lower case, as rules write it.")
    title: str = strawberry.field(description="The full name of the indicator.")
    group: str = strawberry.field(
        description="The group of indicators that it belongs to, such as momentum indicators."
    )
    inputs: list[str] = strawberry.field(
        description="The input series, in the order in which the indicator takes them."
    )
    parameters: list[IndicatorParameter] = strawberry.field(
        description="The parameters, in the order in which rules write them."
    )
    outputs: list[str] = strawberry.field(
        description="The output series, in the order in which the indicator returns them."
    )


@strawberry.type
class AnalyticsQuery:
    """The analytics' part of the query root."""

    @strawberry.field(graphql_type=list[IndicatorDefinition], description="All indicators, sorted by name.")
    def indicators(self) -> object:
        """Return the catalogue."""
        return analytics.indicators()
