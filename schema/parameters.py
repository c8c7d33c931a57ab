"""Values of a strategy's or an indicator's parameters."""

from decimal import Decimal

import strawberry

from domain.model import trading as domain


@strawberry.input(description="A value for a parameter.")
class ParameterInput:
    """A value as it is given."""

    name: str = strawberry.field(description="The parameter's name.")
    value: Decimal = strawberry.field(description="Within the parameter's bounds.")

    def to_domain(self) -> domain.ParameterValue:
        """Return the value."""
        return domain.ParameterValue(self.name, self.value)


@strawberry.type(description="The value that a parameter has.")
class ParameterValue:
    """The schema's face of `domain.model.trading.ParameterValue`."""

    name: str = strawberry.field(description="The parameter's name.")
    value: Decimal = strawberry.field(description="Its value here.")
