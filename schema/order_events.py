"""The steps of an order's life, and an order as it stood after one, as the API shows them."""

from datetime import datetime

import strawberry

from domain.model import orders as domain
from resolvers import events
from schema.context import Info
from schema.node import encode_id, serves
from schema.orders import Fill, Order, OrderFacts
from schema.pagination import Connection, Edge
from schema.scalars import Sequence


@strawberry.type(
    description="An order as it once stood. It has the order's id and a type of its own, so that a client's cache "
    "never mixes it with the order as it is now."
)
class OrderState(OrderFacts):
    """The schema's face of `domain.model.orders.Order` as an event carries it."""

    is_type_of = serves(domain.Order)

    @strawberry.field(description="The id of the order, for `node` and for every field that takes an order's id.")
    def id(parent: strawberry.Parent[domain.Order]) -> strawberry.ID:
        """Return the order's global id."""
        return encode_id("Order", parent.id)

    @strawberry.field(graphql_type=Order, description="The order as it is now.")
    async def current(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        """Return the order as it is now."""
        return await events.current(info.context, parent)


@strawberry.type(description="`order` is the order as it stood after this event, as it was stored with it.")
class OrderEvent:
    """The schema's face of `resolvers.events.OrderStep`."""

    cursor: str = strawberry.field(description="Where a later subscription goes on; that of `UserEvent` too.")
    sequence: Sequence = strawberry.field(
        description="Its place in the user's log, without gaps; other things have places there too."
    )
    at: datetime = strawberry.field(description="When it happened.")
    kind: domain.OrderEventKind = strawberry.field(description="What happened.")
    fill: Fill | None = strawberry.field(description="The execution, where it is one.")
    reason: str | None = strawberry.field(description="Why, where there is something to say.")

    @strawberry.field(graphql_type=OrderState, description="The order as it stood after this event.")
    def order(parent: strawberry.Parent[events.OrderStep]) -> object:
        """Return the order as stored with the event."""
        return parent.order


@strawberry.type(description="An order event in a list.")
class OrderEventEdge(Edge[OrderEvent]):
    """See `Edge`."""


@strawberry.type(description="Order events, a page at a time.")
class OrderEventConnection(Connection[OrderEvent, OrderEventEdge]):
    """See `Connection`."""
