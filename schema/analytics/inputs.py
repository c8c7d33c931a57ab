"""The value of a parameter."""

from decimal import Decimal

import strawberry

from domain.model import trading as domain


@strawberry.input(description="A value for a parameter of a strategy or an indicator.")
class ParameterInput:
    name: str = strawberry.field(description="The name of the parameter.")
    value: Decimal = strawberry.field(description="The value. It must be within the bounds of the parameter.")

    def to_domain(self) -> domain.ParameterValue:
        return domain.ParameterValue(self.name, self.value)
