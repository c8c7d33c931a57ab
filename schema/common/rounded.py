"""Fields whose amounts come out of divisions and conversions, shown with the digits that mean something."""

from decimal import Decimal
from typing import Any

from strawberry.types import Info
from strawberry.types.field import StrawberryField

from domain.core.money import rounded


class RoundedField(StrawberryField):
    """A field without a resolver whose decimal is rounded for output. The stored value keeps its digits."""

    def get_result(self, source: object, info: Info | None, args: list[object], kwargs: dict[str, object]) -> object:
        """Return the rounded attribute of the source."""
        value = super().get_result(source, info, args, kwargs)
        return rounded(value) if isinstance(value, Decimal) else value


def rounded_field(description: str) -> Any:  # noqa: ANN401  # as `strawberry.field`, which stands for a value
    """Return a field like `strawberry.field`, for a decimal that is computed, not reported by a venue."""
    return RoundedField(python_name=None, description=description)
