"""The event log, live."""

from collections.abc import AsyncIterator
from typing import Annotated

import strawberry

from resolvers import events
from schema.common.types import Info
from schema.events.types import UserEvent
from schema.jobs.types import Job
from schema.orders.events import OrderEvent

AfterEvent = Annotated[
    str | None,
    strawberry.argument(
        description=(
            "The events after this cursor are sent first. Give the cursor of the last event that you received, or "
            "`viewer.eventCursor`."
        )
    ),
]


@strawberry.type
class EventSubscription:
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
        return await events.events(info.context, after)

    @strawberry.subscription(
        graphql_type=AsyncIterator[Job],
        description="The job as it is now, and then after each change, until it has ended.",
    )
    async def job_progress(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the job.")]
    ) -> AsyncIterator[object]:
        return await events.job_progress(info.context, id)
