"""Connections and edges: how a `domain.core.pagination.Page` looks from outside.

A list of orders gets its two types by naming them; resolvers return the page itself:

    @strawberry.type(description="An order in a list.")
    class OrderEdge(Edge[Order]): ...

    @strawberry.type(description="Orders, a page at a time.")
    class OrderConnection(Connection[Order, OrderEdge]): ...

    @strawberry.field(graphql_type=OrderConnection)
    async def orders(self, info: Info, first: int | None = None, ...) -> Page[domain.Order]: ...
"""

from typing import Annotated, Generic, TypeVar

import strawberry

from domain.core.pagination import Page

First = Annotated[
    int | None,
    strawberry.argument(
        description=(
            "The size of the page, from the start of the list. The default is 50, the maximum 100 (1,000 for candles "
            "and trades). Not valid together with `last`."
        )
    ),
]
After = Annotated[str | None, strawberry.argument(description="The page starts after the item with this cursor.")]
Last = Annotated[
    int | None,
    strawberry.argument(
        description=(
            "The size of the page, from the end of the list. The maximum is 100 (1,000 for candles and trades). Not "
            "valid together with `first`."
        )
    ),
]
Before = Annotated[str | None, strawberry.argument(description="The page ends before the item with this cursor.")]

NodeT = TypeVar("NodeT")
EdgeT = TypeVar("EdgeT")


@strawberry.type(description="The position of a page in its list.")
class PageInfo:
    """The schema's face of `domain.core.pagination.PageInfo`."""

    has_next_page: bool = strawberry.field(description="True if the list has items after this page.")
    has_previous_page: bool = strawberry.field(description="True if the list has items before this page.")
    start_cursor: str | None = strawberry.field(
        description="The cursor of the first item of the page. Null if the page is empty."
    )
    end_cursor: str | None = strawberry.field(
        description="The cursor of the last item of the page. Null if the page is empty."
    )


@strawberry.type
class Edge(Generic[NodeT]):
    """The base of every edge type."""

    cursor: str = strawberry.field(description="The position of the item in the list. `after` and `before` accept it.")
    node: NodeT = strawberry.field(description="The item.")


@strawberry.type
class Connection(Generic[NodeT, EdgeT]):
    """The base of every connection type."""

    edges: list[EdgeT] = strawberry.field(description="The items of the page, with their cursors.")
    nodes: list[NodeT] = strawberry.field(description="The items of the page.")
    page_info: PageInfo = strawberry.field(description="The position of the page in the list.")


@strawberry.type
class CountedConnection(Connection[NodeT, EdgeT]):
    """The base of the connections of lists whose items can be counted."""

    @strawberry.field(
        description=(
            "The number of items in the list with these filters, independent of the page. It is counted only if the "
            "field is requested. Null if it is more than 10,000."
        )
    )
    async def total_count(parent: strawberry.Parent[Page[object]]) -> int | None:
        """Return the count."""
        return await parent.total_count()
