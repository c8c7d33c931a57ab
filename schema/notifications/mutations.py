"""Creating, changing, testing and deleting notification channels."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import channels
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.node import decode_uuid
from schema.common.types import Info
from schema.notifications.inputs import NotificationChannelCreateInput, NotificationChannelUpdateInput
from schema.notifications.types import ChannelDelivery, NotificationChannel

ChannelId = Annotated[strawberry.ID, strawberry.argument(description="The id of the notification channel.")]


@strawberry.type
class ChannelSecret(Payload):
    """What creating a channel and rotating its secret have in common."""

    notification_channel: NotificationChannel | None = strawberry.field(
        description="The notification channel. Null if there are errors."
    )
    secret: str | None = strawberry.field(
        description=(
            "The secret with which a webhook's messages are signed: `whsec_` and 32 bytes in base64. It can't be read "
            "again. Null for other kinds, and if there are errors."
        )
    )


@strawberry.type(description="The result of `notificationChannelCreate`.")
class NotificationChannelCreatePayload(ChannelSecret): ...


@strawberry.type(description="The result of `notificationChannelSecretRotate`.")
class NotificationChannelSecretRotatePayload(ChannelSecret): ...


@strawberry.type(description="The result of `notificationChannelUpdate`.")
class NotificationChannelUpdatePayload(Payload):
    notification_channel: NotificationChannel | None = strawberry.field(
        description="The notification channel after the change. Null if there are errors."
    )


@strawberry.type(description="The result of `notificationChannelDelete`.")
class NotificationChannelDeletePayload(Payload):
    deleted_id: strawberry.ID | None = strawberry.field(
        description="The id of the deleted notification channel. Null if there are errors."
    )


@strawberry.type(description="The result of `notificationChannelTest`.")
class NotificationChannelTestPayload(Payload):
    delivery: ChannelDelivery | None = strawberry.field(
        description="The test message: DELIVERED, or FAILED with the reason. Null if there are errors."
    )


@strawberry.type
class NotificationMutation:
    @mutation(
        NotificationChannelCreatePayload,
        scope=ApiScope.ADMIN,
        description=(
            "Create a notification channel. It delivers events that happen from now on. A user can have 10. It "
            "requires a login session with a recent sign-in: otherwise the error is CONFIRMATION_REQUIRED, or "
            "FORBIDDEN for an API key."
        ),
    )
    async def notification_channel_create(
        self, info: Info, input: Annotated[NotificationChannelCreateInput, INPUT]
    ) -> Fields:
        channel, secret = await channels.create(info.context, input.to_domain())
        return {"notification_channel": channel, "secret": secret}

    @mutation(
        NotificationChannelUpdatePayload,
        scope=ApiScope.ADMIN,
        description=(
            "Change a notification channel, or enable it again. It goes on with the first event that it has not "
            "delivered. Another receiver requires a login session with a recent sign-in: otherwise the error is "
            "CONFIRMATION_REQUIRED, or FORBIDDEN for an API key."
        ),
    )
    async def notification_channel_update(
        self, info: Info, id: ChannelId, input: Annotated[NotificationChannelUpdateInput, INPUT]
    ) -> Fields:
        channel_id = decode_uuid(id, "NotificationChannel", ("id",))
        return {"notification_channel": await channels.update(info.context, channel_id, input.to_domain())}

    @mutation(
        NotificationChannelDeletePayload,
        scope=ApiScope.ADMIN,
        description="Delete a notification channel with its log of deliveries, at once.",
    )
    async def notification_channel_delete(self, info: Info, id: ChannelId) -> Fields:
        await channels.delete(info.context, decode_uuid(id, "NotificationChannel", ("id",)))
        return {"deleted_id": id}

    @mutation(
        NotificationChannelSecretRotatePayload,
        scope=ApiScope.ADMIN,
        description=(
            "Give a webhook a new secret. For 24 hours its messages are signed with the earlier one too. It requires a "
            "login session with a recent sign-in: otherwise the error is CONFIRMATION_REQUIRED, or FORBIDDEN for an "
            "API key."
        ),
    )
    async def notification_channel_secret_rotate(self, info: Info, id: ChannelId) -> Fields:
        channel, secret = await channels.rotate(info.context, decode_uuid(id, "NotificationChannel", ("id",)))
        return {"notification_channel": channel, "secret": secret}

    @mutation(
        NotificationChannelTestPayload,
        scope=ApiScope.ADMIN,
        description=(
            "Send a test message by a notification channel, at once and only once. At most five within a minute: after "
            "that the error is RATE_LIMITED."
        ),
    )
    async def notification_channel_test(self, info: Info, id: ChannelId) -> Fields:
        return {"delivery": await channels.test(info.context, decode_uuid(id, "NotificationChannel", ("id",)))}
