"""Enums of the domain as the API shows them: each, and each of its values, with a description."""

from collections.abc import Mapping
from enum import Enum

import strawberry


def describe_enum(kind: type[Enum], description: str, values: Mapping[str, str], *, name: str | None = None) -> None:
    """Serve an enum of the domain under `name` (its own, where none is given); `values` describes each by its name.

    Raises `ValueError` where a value has no description, or a description no value.
    """
    if set(values) != {member.name for member in kind}:
        raise ValueError(f"{kind.__name__} is described by {sorted(values)} and has {[one.name for one in kind]}")
    strawberry.enum(kind, name=name, description=description)
    definition = kind.__strawberry_definition__  # type: ignore[attr-defined]  # which strawberry.enum has set
    for value in definition.values:
        value.description = values[value.name]
