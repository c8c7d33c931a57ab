"""The user's event log."""

from datetime import datetime

import strawberry

from domain.model import events as domain
from resolvers import events
from schema.common.node import Node
from schema.common.scalars import Sequence
from schema.common.types import Info
from schema.events.states import EventState
from schema.orders.types import Fill


@strawberry.type(description="An event in the user's event log.")
class UserEvent:
    sequence: Sequence = strawberry.field(
        description="The position of the event in the user's log. It counts from 1, without gaps; if the engine's "
        "database was restored from a backup, it goes on after a multiple of 1,000,000,000, and nothing is missing."
    )
    at: datetime = strawberry.field(description="When the event happened.")
    kind: domain.UserEventKind = strawberry.field(description="What the event is about.")
    message: str | None = strawberry.field(
        description="The event in words. Null if there is nothing to add to its kind and state."
    )

    @strawberry.field(
        description="The cursor of the event. A later `events` or `orderEvents` subscription continues after it."
    )
    def cursor(parent: strawberry.Parent[domain.UserEvent]) -> str:
        return events.cursor(parent)

    @strawberry.field(
        graphql_type=EventState | None,
        description=(
            "The object of the event, as it was when the event happened. For ORDER and FILL it is the order. Null for "
            "an alert."
        ),
    )
    def state(parent: strawberry.Parent[domain.UserEvent]) -> object:
        return events.state(parent)

    @strawberry.field(
        graphql_type=Node | None,
        description="The object of the event, as it is now. For HALT it is what was halted. Null "
        "for an alert, and if the object no longer exists.",
    )
    async def subject(parent: strawberry.Parent[domain.UserEvent], info: Info) -> object:
        stored = events.state(parent)
        return None if stored is None else await events.current(info.context, stored)

    @strawberry.field(
        graphql_type=Fill | None, description="The fill, for an event of kind FILL. Null for all other kinds."
    )
    def fill(parent: strawberry.Parent[domain.UserEvent]) -> object:
        return events.fill(parent)
