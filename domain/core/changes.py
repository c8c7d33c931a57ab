"""Changes to an object: what isn't given stays as it is, and None takes a value away."""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Final, Generic, TypeVar

from domain.core.errors import ErrorCode, InputError, InputErrors


class Unchanged(Enum):
    """The type of `UNCHANGED`."""

    UNCHANGED = "UNCHANGED"


UNCHANGED: Final = Unchanged.UNCHANGED
"""Stands for "leave it as it is" where None means "take it away"."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Changes(Generic[T]):
    """Changes to some fields of a dataclass: the names of those that are given, and an object with their values."""

    given: frozenset[str]
    values: T

    def apply_to(self, present: T) -> T:
        """Return the present object with the values of the fields that were given."""
        return replace(present, **{name: getattr(self.values, name) for name in self.given})  # type: ignore[type-var]


def changed(value: T | Unchanged, present: T) -> T:
    """Return the new value, or the present one where none was given."""
    return present if isinstance(value, Unchanged) else value


def reject_nulls(**values: object) -> None:
    """Raise INVALID for each field of the input that is None and can't be taken away, by its name in the API."""
    errors = [_null_error(name) for name, value in values.items() if value is None]
    if errors:
        raise InputErrors(errors)


def _null_error(name: str) -> InputError:
    message = f"{name} is null and can't be taken away; leave it out to keep it as it is."
    return InputError(ErrorCode.INVALID, message, ("input", name))
