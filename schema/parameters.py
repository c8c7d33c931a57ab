"""Values of a strategy's or an indicator's parameters."""

from decimal import Decimal

import strawberry

from domain.model import trading as domain


@strawberry.input(description="A value for a parameter of a strategy or an indicator.")
class ParameterInput:
    """A value as it is given."""

    name: str = strawberry.field(description="The name of the parameter.")
    value: Decimal = strawberry.field(description="The value. It must be within the bounds of the parameter.")

    def to_domain(self) -> domain.ParameterValue:
        """Return the value."""
        return domain.ParameterValue(self.name, self.value)


@strawberry.type(description="The value of a parameter of a strategy or an indicator.")
class ParameterValue:
    """The schema's face of `domain.model.trading.ParameterValue`."""

    name: str = strawberry.field(description="The name of the parameter.")
    value: Decimal = strawberry.field(description="The value of the parameter.")
