"""The steps of an order's life, and an order as it was after one."""

from datetime import datetime

import strawberry

from domain.model import orders as domain
from resolvers import events
from schema.common.pagination import connection
from schema.common.scalars import Sequence
from schema.common.states import state_of
from schema.orders.types import Fill, Order, OrderFacts


@state_of(Order)
class OrderState(OrderFacts): ...


@strawberry.type(description="A step in the life of an order.")
class OrderEvent:
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
    def order(parent: strawberry.Parent[events.OrderEventItem]) -> object:
        return parent.order


OrderEventConnection = connection(OrderEvent, "order events", counted=False)
