"""Validates the distances of a definition: of exits, targets and further entries."""

from collections.abc import Iterator
from decimal import Decimal

from domain.model.definitions import ExitDistance, chosen_fields
from domain.strategies.errors import DefinitionError

HUNDRED = Decimal(100)
LARGEST = Decimal(10) ** 18
_PATHS = {"percent": "percent", "atr_multiple": "atrMultiple", "absolute": "absolute"}


def distance_errors(path: tuple[str, ...], distance: ExitDistance, *, is_below: bool) -> Iterator[DefinitionError]:
    """Yield what is wrong with a distance; one that goes below a price can't be all of it."""
    names = chosen_fields(distance)
    if len(names) != 1:
        yield not_one(path, "percent, atrMultiple and absolute", len(names))
        return
    (name,) = names
    value: Decimal = getattr(distance, name)
    error_path = (*path, _PATHS[name])
    if name == "percent" and is_below:
        if not is_within(value, HUNDRED) or value == HUNDRED:
            yield DefinitionError(f"percent is {value}; it must be greater than 0 and less than 100.", error_path)
    elif not is_within(value, LARGEST):
        message = f"{_PATHS[name]} is {value}; it must be greater than 0 and at most {LARGEST:f}."
        yield DefinitionError(message, error_path)


def is_within(value: Decimal, limit: Decimal) -> bool:
    """Return whether a number is greater than 0 and at most `limit`."""
    return value.is_finite() and 0 < value <= limit


def not_one(path: tuple[str, ...], names: str, count: int) -> DefinitionError:
    """Return the error of a choice that has none or several of its fields."""
    return DefinitionError(f"{path[-1]} has {count} values; give exactly one of {names}.", path)
