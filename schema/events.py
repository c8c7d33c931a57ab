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
    strawberry.argument(description="The cursor of the last event that was seen, or `viewer.eventCursor`."),
]


@strawberry.type(description="Something that happened to what is the viewer's.")
class UserEvent:
    """The schema's face of `domain.model.events.UserEvent`."""

    sequence: Sequence = strawberry.field(description="Its place in the user's log, from 1, without gaps.")
    at: datetime = strawberry.field(description="When it happened.")
    kind: domain.UserEventKind = strawberry.field(description="What it is about.")
    message: str | None = strawberry.field(description="What there is to say.")

    @strawberry.field(description="Where a later subscription goes on; that of `OrderEvent` too.")
    def cursor(parent: strawberry.Parent[domain.UserEvent]) -> str:
        """Return the cursor."""
        return events.cursor(parent)

    @strawberry.field(
        graphql_type=EventState | None,
        description="What the event is about, as it stood when it happened: of ORDER and FILL the order. Null for an "
        "alert.",
    )
    def state(parent: strawberry.Parent[domain.UserEvent]) -> object:
        """Return the object as stored with the event."""
        return events.state(parent)

    @strawberry.field(
        graphql_type=Node | None,
        description="What the event is about, as it is now. Null for an alert, and where the object is gone.",
    )
    async def subject(parent: strawberry.Parent[domain.UserEvent], info: Info) -> object:
        """Return the object as it is now."""
        told = events.state(parent)
        return None if told is None else await events.current(info.context, told)

    @strawberry.field(graphql_type=Fill | None, description="The execution, of an event of kind FILL; null for others.")
    def fill(parent: strawberry.Parent[domain.UserEvent]) -> object:
        """Return the fill as stored with the event."""
        return events.fill(parent)


@strawberry.type
class EventSubscription:
    """The event log's part of the subscription root."""

    @strawberry.subscription(
        graphql_type=AsyncIterator[OrderEvent],
        description="Without `after`: a SNAPSHOT event for each open order, oldest first, with the log's head as "
        "cursor and sequence, then every event that the snapshot doesn't hold yet. With `after`: every event since "
        "that cursor, then live. No gap, no repeat. To miss nothing: read `viewer.eventCursor`, then the state, then "
        "subscribe with `after`.",
    )
    async def order_events(
        self,
        info: Info,
        after: AfterEvent = None,
        account: Annotated[
            strawberry.ID | None, strawberry.argument(description="Orders of this account alone.")
        ] = None,
        trading_session: Annotated[
            strawberry.ID | None, strawberry.argument(description="Orders of this trading session alone.")
        ] = None,
    ) -> AsyncIterator[object]:
        """Return the stream."""
        return await events.order_events(info.context, after, account, trading_session)

    @strawberry.subscription(
        graphql_type=AsyncIterator[UserEvent],
        description="Everything in the viewer's event log, live or since a cursor; the cursors are those of "
        "`orderEvents`.",
    )
    async def events(self, info: Info, after: AfterEvent = None) -> AsyncIterator[object]:
        """Return the stream."""
        return await events.events(info.context, after)

    @strawberry.subscription(
        graphql_type=AsyncIterator[Job],
        description="The job as it is now, then whenever it changes, until it has ended.",
    )
    async def job_progress(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The job.")]
    ) -> AsyncIterator[object]:
        """Return the stream."""
        return await events.job_progress(info.context, id)
