"""Update inputs: the difference between a field that isn't given, which keeps its value, and null, which removes it."""

from dataclasses import fields
from typing import Protocol, TypeVar

from strawberry import UNSET

from domain.core.changes import UNCHANGED, Changes, Unchanged

T = TypeVar("T")

V_co = TypeVar("V_co", covariant=True)


class _Input(Protocol[V_co]):
    def to_domain(self) -> V_co: ...


def change(value: T) -> T | Unchanged:
    """Return the value of a field of an update input, or `UNCHANGED` if it wasn't given."""
    return UNCHANGED if value is UNSET else value


def replacement(value: _Input[V_co] | None) -> V_co | Unchanged | None:
    """Return the object that a nested input replaces the present one with; None for null."""
    return value.to_domain() if value else change(None if value is None else UNSET)


def changes(value: _Input[V_co] | None) -> Changes[V_co] | Unchanged | None:
    """Return the changes in a nested input, field by field; None for null."""
    return Changes(frozenset(given(value)), value.to_domain()) if value else change(None if value is None else UNSET)


def given(value: object) -> dict[str, object]:
    """Return the fields of an input that were given, including those that are null."""
    present = {field.name: getattr(value, field.name) for field in fields(value)}  # type: ignore[arg-type]
    return {name: value for name, value in present.items() if value is not UNSET}
