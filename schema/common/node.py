"""Objects with a global id: the `Node` interface, the ids, and the two root fields that find an object by its id."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Annotated
from uuid import UUID

import strawberry
from graphql import GraphQLResolveInfo
from strawberry.types import Info

from domain.core.errors import ErrorCode, FaultCode, InputError, RequestFault
from resolvers import ids
from resolvers.nodes import NodeContext

MAX_NODES = 100


def instance_of(*domain_classes: type) -> Callable[[object, GraphQLResolveInfo[object]], bool]:
    """Return an `is_type_of` for these domain classes. Every type with an interface or in a union needs one.

    @strawberry.type
    class Order(Node):
        is_type_of = instance_of(domain.model.orders.Order)
    """

    def is_type_of(value: object, _info: GraphQLResolveInfo[object]) -> bool:
        return isinstance(value, domain_classes)

    return staticmethod(is_type_of)


@strawberry.interface(description="An object with an id that is unique in the whole API.")
class Node:
    """The base of types that `node` can find; the domain object has its key as `id`, or the type overrides `id`."""

    @strawberry.field(description="An opaque id, unique among all objects.")
    def id(self, info: Info[object, object]) -> strawberry.ID:
        """Return the global id of the domain object by the type that it is served as."""
        parent: GraphQLResolveInfo[object] = info._raw_info  # noqa: SLF001  # strawberry shows the parent type nowhere else
        return encode_id(parent.parent_type.name, self.id)


@strawberry.type
class NodeQuery:
    """The root fields for Relay; the query type inherits them."""

    @strawberry.field(description="The object with this id. Null if there is none, or if it belongs to another user.")
    async def node(
        self,
        info: Info[NodeContext, None],
        id: Annotated[strawberry.ID, strawberry.argument(description="The id of any object.")],
    ) -> Node | None:
        """Return the object with this id, or None."""
        return await load_node(info.context, id)  # type: ignore[return-value]  # a domain object, served as its type

    @strawberry.field(
        description=(
            "The objects with these ids, in the same order. An item is null if there is no such object, or if it "
            "belongs to another user."
        )
    )
    async def nodes(
        self,
        info: Info[NodeContext, None],
        ids: Annotated[list[strawberry.ID], strawberry.argument(description="The ids, at most 100.")],
    ) -> list[Node | None]:
        """Return the objects with these ids; one that can't be read spoils none of the others."""
        if len(ids) > MAX_NODES:
            raise RequestFault(FaultCode.INVALID, f"`ids` has {len(ids)} items; at most {MAX_NODES} are answered.")
        loads = (load_node(info.context, node_id) for node_id in ids)
        return await asyncio.gather(*loads)  # type: ignore[return-value]  # domain objects, served as their types


async def load_node(context: NodeContext, id: str) -> object | None:
    """Return the domain object with this global id; None if the id isn't valid or the object isn't visible."""
    parts = ids.decode_id(id)
    if parts is None:
        return None
    type_name, key = parts
    loader = context.node_loaders.get(type_name)
    return await loader(key) if loader else None


def encode_id(type_name: str, key: object) -> strawberry.ID:
    """Return the opaque global id of an object."""
    return strawberry.ID(ids.encode_id(type_name, key))


def decode_id_of_type(id: str, type_name: str, path: Sequence[str]) -> str:
    """Return the key of an id that must be of this type; raise InputError (NOT_FOUND) at `path` for another."""
    parts = ids.decode_id(id)
    if parts is None or parts[0] != type_name:
        raise not_found(type_name, path)
    return parts[1]


def decode_uuid(id: str, type_name: str, path: Sequence[str]) -> UUID:
    """Return the UUID of an id that must be of this type; raise InputError (NOT_FOUND) at `path` for another."""
    try:
        return UUID(decode_id_of_type(id, type_name, path))
    except ValueError:
        raise not_found(type_name, path) from None


def not_found(type_name: str, path: Sequence[str]) -> InputError:
    """Return the error of an id that finds nothing, whether it is unreadable, of another type or of another user."""
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in type_name).strip()
    return InputError(ErrorCode.NOT_FOUND, f"There is no {words} with this id.", path)
