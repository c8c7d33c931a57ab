"""Objects as they were at the time of an event, each of a type of its own."""

import re
from collections.abc import Callable
from typing import Protocol, TypeVar
from uuid import UUID

import strawberry

from resolvers import events
from schema.common.node import encode_id
from schema.common.types import Info

T = TypeVar("T")


class _Identified(Protocol):
    @property
    def id(self) -> UUID: ...


def state_of(live: type) -> Callable[[type[T]], type[T]]:
    """Serve the domain objects of the type `live` as the decorated type too, with `live`'s id and its `current` object.

    @state_of(Order)
    class OrderState(OrderFacts): ...
    """
    name = live.__name__
    noun = re.sub(r"(?<!^)([A-Z])", r" \1", name).lower()
    article = "An" if name[0] in "AEIOU" else "A"

    def resolve_id(parent: strawberry.Parent[_Identified]) -> strawberry.ID:
        return encode_id(name, parent.id)

    async def resolve_current(parent: strawberry.Parent[events.State], info: Info) -> object:
        return await events.current(info.context, parent)

    def decorate(state: type[T]) -> type[T]:
        is_type_of = live.is_type_of  # type: ignore[attr-defined]  # every type in a union has one
        state.is_type_of = staticmethod(is_type_of)  # type: ignore[attr-defined]
        state.id = strawberry.field(resolve_id, description=f"The id of the {noun}.")  # type: ignore[attr-defined]
        state.current = strawberry.field(  # type: ignore[attr-defined]
            resolve_current, graphql_type=live, description=f"The {noun} as it is now."
        )
        description = (
            f"{article} {noun} as it was at the time of an event. It has the {noun}'s id but a type of its own, so "
            f"that a client's cache doesn't mix it with the current {noun}."
        )
        return strawberry.type(state, description=description)

    return decorate
