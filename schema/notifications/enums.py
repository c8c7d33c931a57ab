"""The enums of notification channels."""

from domain.model.notifications import ChannelKind, ChannelStatus, DeliveryStatus
from schema.common.enums import describe_enum

describe_enum(
    ChannelKind,
    "How a notification channel reaches its user.",
    {
        "WEBHOOK": "By signed POST requests to an address on the internet. Programs read them.",
        "EMAIL": "By mails to the user's own email address, once it is verified.",
        "TELEGRAM": "By messages of a Telegram bot to a chat.",
    },
    name="NotificationChannelKind",
)
describe_enum(
    ChannelStatus,
    "Whether a notification channel delivers.",
    {
        "ACTIVE": "The channel delivers.",
        "DISABLED": "The user has disabled the channel.",
        "FAILING": (
            "The channel has failed for three days, or its receiver wants no more messages. Enabled again by "
            "`notificationChannelUpdate`, it goes on with the first event that it could not deliver."
        ),
    },
    name="NotificationChannelStatus",
)
describe_enum(
    DeliveryStatus,
    "What has become of a message of a notification channel so far.",
    {
        "DELIVERED": "The receiver has taken the message.",
        "RETRYING": "The receiver has not taken the message yet. It is tried again.",
        "FAILED": "The message was given up.",
    },
    name="ChannelDeliveryStatus",
)
