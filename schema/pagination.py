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

First = Annotated[int | None, strawberry.argument(description="How many items from the beginning; 50 by default.")]
After = Annotated[str | None, strawberry.argument(description="The cursor that the page begins after.")]
Last = Annotated[int | None, strawberry.argument(description="How many items from the end; not together with `first`.")]
Before = Annotated[str | None, strawberry.argument(description="The cursor that the page ends before.")]

NodeT = TypeVar("NodeT")
EdgeT = TypeVar("EdgeT")


@strawberry.type(description="Where a page lies in its list.")
class PageInfo:
    """The schema's face of `domain.core.pagination.PageInfo`."""

    has_next_page: bool = strawberry.field(description="Whether more items follow this page.")
    has_previous_page: bool = strawberry.field(description="Whether items come before this page.")
    start_cursor: str | None = strawberry.field(description="The cursor of the page's first item; null when empty.")
    end_cursor: str | None = strawberry.field(description="The cursor of the page's last item; null when empty.")


@strawberry.type
class Edge(Generic[NodeT]):
    """The base of every edge type."""

    cursor: str = strawberry.field(description="The item's place in the list, for `after` and `before`.")
    node: NodeT = strawberry.field(description="The item.")


@strawberry.type
class Connection(Generic[NodeT, EdgeT]):
    """The base of every connection type."""

    edges: list[EdgeT] = strawberry.field(description="The items of the page with their cursors.")
    nodes: list[NodeT] = strawberry.field(description="The items of the page.")
    page_info: PageInfo = strawberry.field(description="Where the page lies in its list.")


@strawberry.type
class CountedConnection(Connection[NodeT, EdgeT]):
    """The base of the connections of lists whose items can be counted."""

    @strawberry.field(
        description="How many items the list has with these filters, whatever the page. It is counted when it is asked "
        "for, and null where there are more than 10,000."
    )
    async def total_count(parent: strawberry.Parent[Page[object]]) -> int | None:
        """Return the count."""
        return await parent.total_count()
