"""Connections and edges: the public form of a `domain.core.pagination.Page`.

A list of orders gets its two types from `connection`, and its resolver returns the page itself:

    OrderConnection = connection(Order, "orders")

    @connection_field(OrderConnection | None, description="The orders of the user.")
    async def orders(parent: Viewer, info: Info, page: PageArguments) -> Page[domain.Order]: ...
"""

from types import new_class
from typing import Any, Generic, TypeVar

import strawberry

from domain.core.pagination import Page
from schema.common.public import PUBLIC

NodeT = TypeVar("NodeT")
EdgeT = TypeVar("EdgeT")


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(metadata=PUBLIC, description="True if the list has items after this page.")
    has_previous_page: bool = strawberry.field(
        metadata=PUBLIC, description="True if the list has items before this page."
    )
    start_cursor: str | None = strawberry.field(
        metadata=PUBLIC, description="The cursor of the first item of the page. Null if the page is empty."
    )
    end_cursor: str | None = strawberry.field(
        metadata=PUBLIC, description="The cursor of the last item of the page. Null if the page is empty."
    )


@strawberry.type
class Edge(Generic[NodeT]):
    cursor: str = strawberry.field(
        metadata=PUBLIC, description="The position of the item in the list. `after` and `before` accept it."
    )
    node: NodeT = strawberry.field(metadata=PUBLIC, description="The item.")


@strawberry.type
class Connection(Generic[NodeT, EdgeT]):
    edges: list[EdgeT] = strawberry.field(metadata=PUBLIC, description="The items of the page, with their cursors.")
    nodes: list[NodeT] = strawberry.field(metadata=PUBLIC, description="The items of the page.")
    page_info: PageInfo = strawberry.field(metadata=PUBLIC, description="The position of the page in the list.")


@strawberry.type
class CountedConnection(Connection[NodeT, EdgeT]):
    @strawberry.field(
        metadata=PUBLIC,
        description=(
            "The number of items in the list with these filters, independent of the page. It is counted only if the "
            "field is requested. Null if it is more than 10,000."
        ),
    )
    async def total_count(parent: strawberry.Parent[Page[object]]) -> int | None:
        return await parent.total_count()


def connection(node: type, items: str, *, counted: bool = True) -> Any:  # noqa: ANN401  # a type that is made at run time
    """Return the connection type of `node`; `items` is the plural for its description.

    With `counted`, the connection has `totalCount`.
    """
    base = CountedConnection if counted else Connection
    edge = _type(f"{node.__name__}Edge", Edge[node], node, f"An item of a list of {items}, with its cursor.")  # type: ignore[valid-type]
    return _type(f"{node.__name__}Connection", base[node, edge], node, f"One page of a list of {items}.")


def _type(name: str, base: Any, node: type, description: str) -> type:  # noqa: ANN401  # a generic alias
    made = new_class(name, (base,), exec_body=lambda namespace: namespace.update(__module__=node.__module__))
    return strawberry.type(made, description=description)
