"""The filters of lists, which come as global ids: one that can't be read finds nothing, as another user's does."""

from collections.abc import Sequence
from typing import TypeVar
from uuid import UUID

from resolvers.ids import uuid_in

NOTHING = UUID(int=0)
"""The id that nothing has."""

T = TypeVar("T")


def filter_id(id: str | None, type_name: str) -> UUID | None:
    """Return the UUID to look for; None where it doesn't matter, `NOTHING` where the id can't be read."""
    return None if id is None else uuid_in(id, type_name) or NOTHING


def filter_values(values: Sequence[T] | None) -> tuple[T, ...] | None:
    """Return the values to look for; None where it doesn't matter."""
    return None if values is None else tuple(values)
