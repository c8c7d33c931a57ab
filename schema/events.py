"""The viewer's event log as the API shows it."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated

import strawberry

from domain.model import events as domain
from resolvers import events
from schema.context import Info
from schema.event_states import EventState
from schema.node import Node
from schema.order_events import OrderEvent
from schema.orders import Fill
from schema.reports import Job
from schema.scalars import Sequence

AfterEvent = Annotated[
    str | None,
    strawberry.argument(
        description=(
            "The events after this cursor are sent first. Give the cursor of the last event that you received, or "
            "`viewer.eventCursor`."
        )
    ),
]


@strawberry.type(description="An event in the user's event log.")
class UserEvent:
    """The schema's face of `domain.model.events.UserEvent`."""

    sequence: Sequence = strawberry.field(
        description="The position of the event in the user's log. It counts from 1, without gaps."
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
        """Return the cursor."""
        return events.cursor(parent)

    @strawberry.field(
        graphql_type=EventState | None,
        description=(
            "The object of the event, as it was when the event happened. For ORDER and FILL it is the order. Null for "
            "an alert."
        ),
    )
    def state(parent: strawberry.Parent[domain.UserEvent]) -> object:
        """Return the object as stored with the event."""
        return events.state(parent)

    @strawberry.field(
        graphql_type=Node | None,
        description="The object of the event, as it is now. Null for an alert, and if the object no longer exists.",
    )
    async def subject(parent: strawberry.Parent[domain.UserEvent], info: Info) -> object:
        """Return the object as it is now."""
        told = events.state(parent)
        return None if told is None else await events.current(info.context, told)

    @strawberry.field(
        graphql_type=Fill | None, description="The fill, for an event of kind FILL. Null for all other kinds."
    )
    def fill(parent: strawberry.Parent[domain.UserEvent]) -> object:
        """Return the fill as stored with the event."""
        return events.fill(parent)


@strawberry.type
class EventSubscription:
    """The event log's part of the subscription root."""

    @strawberry.subscription(
        graphql_type=AsyncIterator[OrderEvent],
        description=(
            "The events of the viewer's orders. Without `after`, it starts with one SNAPSHOT event for each open "
            "order, oldest first, with the cursor and the sequence of the log's end. Then every later event follows. "
            "With `after`, it starts with all events since that cursor and then continues live. No event is missing "
            "or repeated. To miss nothing, read `viewer.eventCursor`, then read the orders, then subscribe with "
            "`after`."
        ),
    )
    async def order_events(
        self,
        info: Info,
        after: AfterEvent = None,
        account: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only orders of the account with this id.")
        ] = None,
        trading_session: Annotated[
            strawberry.ID | None, strawberry.argument(description="Only orders of the trading session with this id.")
        ] = None,
    ) -> AsyncIterator[object]:
        """Return the stream."""
        return await events.order_events(info.context, after, account, trading_session)

    @strawberry.subscription(
        graphql_type=AsyncIterator[UserEvent],
        description=(
            "All events of the viewer's event log. Without `after`, it starts with the next event. With `after`, it "
            "starts with all events since that cursor and then continues live. No event is missing or repeated. The "
            "cursors are the same as those of `orderEvents`."
        ),
    )
    async def events(self, info: Info, after: AfterEvent = None) -> AsyncIterator[object]:
        """Return the stream."""
        return await events.events(info.context, after)

    @strawberry.subscription(
        graphql_type=AsyncIterator[Job],
        description="The job as it is now, and then after each change, until it has ended.",
    )
    async def job_progress(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the job.")]
    ) -> AsyncIterator[object]:
        """Return the stream."""
        return await events.job_progress(info.context, id)
