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
    description=(
        "An order as it was at the time of an event. It has the order's id but a type of its own, so that a client's "
        "cache doesn't mix it with the current order."
    )
)
class OrderState(OrderFacts):
    """The schema's face of `domain.model.orders.Order` as an event carries it."""

    is_type_of = serves(domain.Order)

    @strawberry.field(description="The id of the order. `node` and all arguments that take an order's id accept it.")
    def id(parent: strawberry.Parent[domain.Order]) -> strawberry.ID:
        """Return the order's global id."""
        return encode_id("Order", parent.id)

    @strawberry.field(graphql_type=Order, description="The order as it is now.")
    async def current(parent: strawberry.Parent[domain.Order], info: Info) -> object:
        """Return the order as it is now."""
        return await events.current(info.context, parent)


@strawberry.type(description="A step in the life of an order.")
class OrderEvent:
    """The schema's face of `resolvers.events.OrderStep`."""

    cursor: str = strawberry.field(
        description="The cursor of the event. A later `events` or `orderEvents` subscription continues after it."
    )
    sequence: Sequence = strawberry.field(
        description=(
            "The position of the event in the user's log. The log has no gaps, but it also contains events about "
            "other things than orders."
        )
    )
    at: datetime = strawberry.field(description="When the event happened.")
    kind: domain.OrderEventKind = strawberry.field(description="What happened to the order.")
    fill: Fill | None = strawberry.field(description="The fill, for an event of kind FILL. Null for all other kinds.")
    reason: str | None = strawberry.field(
        description="The reason for the event, in words. Null if there is nothing to add to its kind."
    )

    @strawberry.field(graphql_type=OrderState, description="The order as it was after this event.")
    def order(parent: strawberry.Parent[events.OrderStep]) -> object:
        """Return the order as stored with the event."""
        return parent.order


@strawberry.type(description="An order event in a list, with its cursor.")
class OrderEventEdge(Edge[OrderEvent]):
    """See `Edge`."""


@strawberry.type(description="One page of a list of order events.")
class OrderEventConnection(Connection[OrderEvent, OrderEventEdge]):
    """See `Connection`."""
