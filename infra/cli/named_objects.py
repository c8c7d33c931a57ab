"""Finds the object of a user that a command names, among those the user has."""

from collections.abc import Iterable
from typing import Protocol, TypeVar
from uuid import UUID

from infra.cli.arguments import BadArgument, unknown_name
from resolvers.ids import uuid_in


class NamedObject(Protocol):
    """An object with an id and a name, which others may have as well."""

    @property
    def id(self) -> UUID:
        """Its id."""
        ...

    @property
    def name(self) -> str:
        """Its name."""
        ...


T = TypeVar("T", bound=NamedObject)


def chosen(what: str, type_name: str, known: Iterable[T], name: str) -> T:
    """Return the one of the known objects with a name, or with an id of the API's `type_name`.

    Raises `BadArgument` if none has it, or several; `what` is what they are called, such as `account`.
    """
    known, asked_id = list(known), uuid_in(name, type_name)
    found = [each for each in known if each.name == name.strip() or each.id == asked_id]
    if not found:
        raise unknown_name(what, name, {each.name for each in known})
    if len(found) > 1:
        raise BadArgument(f"the user has {len(found)} {what}s {name!r}; give the id of one")
    return found[0]
