"""Partial updates: a field that isn't given stays as it is, and None removes its value."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, Generic, TypeVar

from domain.core.errors import ErrorCode, InputError, InputErrors


class Unchanged(Enum):
    """The type of `UNCHANGED`."""

    UNCHANGED = "UNCHANGED"


UNCHANGED: Final = Unchanged.UNCHANGED
"""Means "leave it as it is" where None means "remove it"."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Changes(Generic[T]):
    """Changes to some fields of a dataclass: the names of the given fields, and an object with their values."""

    given: frozenset[str]
    values: T

    def apply_to(self, current: T) -> T:
        """Return a copy of `current` with the values of the fields that were given."""
        return replace(current, **{name: getattr(self.values, name) for name in self.given})  # type: ignore[type-var]


def value_or_current(value: T | Unchanged, current: T) -> T:
    """Return the new value, or the current one if none was given."""
    return current if isinstance(value, Unchanged) else value


def reject_nulls(**values: object) -> None:
    """Raise INVALID for each input field that is None although it can't be removed, by its name in the API."""
    errors = [_null_error(name) for name, value in values.items() if value is None]
    if errors:
        raise InputErrors(errors)


def _null_error(name: str) -> InputError:
    message = f"{name} is null and can't be taken away; leave it out to keep it as it is."
    return InputError(ErrorCode.INVALID, message, ("input", name))
