"""Notification channels and their deliveries."""

from datetime import datetime, time

import strawberry

from domain.model import notifications as domain
from domain.model.events import UserEventKind
from domain.model.notifications import ChannelKind, ChannelStatus, DeliveryStatus
from resolvers import channels
from resolvers.pagination import PageArguments
from schema.common.arguments import connection_field
from schema.common.node import Node, instance_of
from schema.common.pagination import connection
from schema.common.scalars import Sequence
from schema.common.types import Info

Parent = strawberry.Parent[domain.NotificationChannel]


@strawberry.type(description="Hours of each day, by the clock of the user's own time zone (`User.timeZone`).")
class QuietHours:
    @strawberry.field(name="from", description="When the hours begin, such as 22:00.")
    def from_(parent: strawberry.Parent[domain.QuietHours]) -> str:
        return _clock_time(parent.start)

    @strawberry.field(description="When they end, such as 07:00. It may be on the next day.")
    def to(parent: strawberry.Parent[domain.QuietHours]) -> str:
        return _clock_time(parent.end)


@strawberry.type(description="One message of a notification channel, in its log of deliveries.")
class ChannelDelivery(Node):
    is_type_of = instance_of(domain.ChannelDelivery)

    message_id: str = strawberry.field(
        description="The id of the message, the same at each attempt. A webhook receives it as the header `webhook-id`."
    )
    created_at: datetime = strawberry.field(description="When the message was tried first.")
    status: DeliveryStatus = strawberry.field(description="What has become of the message so far.")
    attempts: int = strawberry.field(description="How often the message was tried.")
    first_sequence: Sequence | None = strawberry.field(
        description="The sequence of the first event in the message. Null for a test message."
    )
    sequence: Sequence | None = strawberry.field(
        description=(
            "The sequence of the last event in the message. It is that of the first one, unless the message sums up "
            "what was held back. Null for a test message."
        )
    )
    event_kind: UserEventKind | None = strawberry.field(
        description="The kind of the event. Null for a summary of several and for a test message."
    )
    finished_at: datetime | None = strawberry.field(
        description="When the message was delivered or given up. Null until then."
    )
    error: str | None = strawberry.field(
        description="Why the last attempt failed, in the engine's words. Null if none has."
    )


ChannelDeliveryConnection = connection(ChannelDelivery, "deliveries")


@strawberry.type(
    description=(
        "A place to which the user's events are delivered, each at least once, in the order of the event log. Its "
        "secret is only shown when it is created."
    )
)
class NotificationChannel(Node):
    is_type_of = instance_of(domain.NotificationChannel)

    kind: ChannelKind = strawberry.field(description="How the channel reaches the user.")
    name: str = strawberry.field(description="The name that the user gave the channel.")
    event_kinds: list[UserEventKind] = strawberry.field(description="The kinds of events that the channel delivers.")
    status: ChannelStatus = strawberry.field(description="Whether the channel delivers.")
    created_at: datetime = strawberry.field(description="When the channel was created.")
    max_per_hour: int | None = strawberry.field(
        description=(
            "The greatest number of messages within an hour. What comes in addition is held back, and then delivered "
            "as one summary. Null for a webhook, which has no such limit."
        )
    )
    sequence: Sequence = strawberry.field(description="The sequence of the last event that the channel has dealt with.")
    attempts: int = strawberry.field(
        description="How often the next message was tried without success. 0 if nothing is wrong."
    )
    failing_since: datetime | None = strawberry.field(
        description="When the next message was tried first. Null if nothing is wrong."
    )
    last_error: str | None = strawberry.field(
        description="Why an attempt failed last, in the engine's words. Null if none has."
    )
    last_error_at: datetime | None = strawberry.field(description="When an attempt failed last. Null if none has.")
    last_delivered_at: datetime | None = strawberry.field(
        description="When a message was last delivered. Null if none was."
    )

    @strawberry.field(
        description=(
            "Where messages go: the address of a webhook, or the id of a Telegram chat. Null for an email, which goes "
            "to the user's own address."
        )
    )
    def target(parent: Parent) -> str | None:
        return parent.target

    @strawberry.field(
        graphql_type=QuietHours | None,
        description=(
            "When the channel is quiet. What happens then is held back, and delivered at their end. Null if it never "
            "is."
        ),
    )
    def quiet_hours(parent: Parent) -> object:
        return parent.quiet_hours

    @connection_field(
        ChannelDeliveryConnection | None,
        nested=True,
        description="The log of deliveries of the last 30 days, newest first.",
    )
    async def deliveries(parent: Parent, info: Info, page: PageArguments) -> object:
        return await channels.deliveries(info.context, parent, page)


def _clock_time(at: time) -> str:
    return f"{at:%H:%M}"
