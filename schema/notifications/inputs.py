"""The inputs of the mutations of notification channels."""

import re
from datetime import time
from typing import Final

import strawberry

from domain.core.errors import ErrorCode, InputError
from domain.model import notifications as domain
from domain.model.events import UserEventKind
from domain.model.notifications import ChannelKind
from domain.notifications.channel_requests import ChannelRequest
from domain.notifications.channels import ChannelChanges, quiet_hours
from schema.common.changes import change, replacement

_TIME: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


@strawberry.input(description="Hours of each day, by the clock of the user's own time zone (`User.timeZone`).")
class QuietHoursInput:
    from_: str = strawberry.field(name="from", description="When the hours begin, such as 22:00.")
    to: str = strawberry.field(description="When they end, such as 07:00. It may be on the next day.")

    def to_domain(self) -> domain.QuietHours:
        """Return the hours; raises INVALID for what is no time of a day."""
        return quiet_hours(_time(self.from_, "from"), _time(self.to, "to"))


@strawberry.input(description="The notification channel to create.")
class NotificationChannelCreateInput:
    kind: ChannelKind = strawberry.field(description="How the channel reaches the user.")
    name: str = strawberry.field(description="The name of the channel, of 1 to 100 printable characters.")
    event_kinds: list[UserEventKind] = strawberry.field(
        default_factory=lambda: [UserEventKind.ALERT],
        description="The kinds of events to deliver. By default only alerts.",
    )
    url: str | None = strawberry.field(
        default=None,
        description=(
            "The address that a webhook calls, such as https://example.com/hook. It must be on the internet, or in a "
            "network that the operator has allowed. Required for WEBHOOK, invalid otherwise."
        ),
    )
    chat: str | None = strawberry.field(
        default=None,
        description="The id of the Telegram chat, such as 123456789. Required for TELEGRAM, invalid otherwise.",
    )
    bot_token: str | None = strawberry.field(
        default=None,
        description=(
            "The token of the Telegram bot, as BotFather gives it. It can't be read again. Required for TELEGRAM, "
            "invalid otherwise."
        ),
    )
    quiet_hours: QuietHoursInput | None = strawberry.field(
        default=None,
        description="When the channel is quiet. By default it never is. Invalid for a webhook.",
    )
    max_per_hour: int | None = strawberry.field(
        default=None,
        description=(
            "The greatest number of messages within an hour, from 1 to 1,000; what comes in addition is summed up. The "
            "default is 20. Invalid for a webhook."
        ),
    )

    def to_domain(self) -> ChannelRequest:
        return ChannelRequest(
            self.kind,
            self.name,
            self.event_kinds,
            self.url,
            self.chat,
            self.bot_token,
            self.quiet_hours.to_domain() if self.quiet_hours else None,
            self.max_per_hour,
        )


@strawberry.input(description="The changes of a notification channel. A field that isn't given keeps its value.")
class NotificationChannelUpdateInput:
    name: str | None = strawberry.field(
        default=strawberry.UNSET, description="The new name, of 1 to 100 printable characters. It can't be null."
    )
    event_kinds: list[UserEventKind] | None = strawberry.field(
        default=strawberry.UNSET, description="The kinds of events to deliver, at least one. It can't be null."
    )
    url: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new address of a webhook. It requires a login session, and can't be null.",
    )
    chat: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new Telegram chat. It requires a login session, and can't be null.",
    )
    bot_token: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new token of the Telegram bot. It requires a login session, and can't be null.",
    )
    quiet_hours: QuietHoursInput | None = strawberry.field(
        default=strawberry.UNSET, description="When the channel is quiet. Null if it never is."
    )
    max_per_hour: int | None = strawberry.field(
        default=strawberry.UNSET,
        description="The greatest number of messages within an hour, from 1 to 1,000. Null for no limit.",
    )
    enabled: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="False to stop the channel, true to have it go on where it stopped. It can't be null.",
    )

    def to_domain(self) -> ChannelChanges:
        return ChannelChanges(
            change(self.name),
            change(self.event_kinds),
            change(self.url),
            change(self.chat),
            change(self.bot_token),
            replacement(self.quiet_hours),
            change(self.max_per_hour),
            change(self.enabled),
        )


def _time(text: str, field: str) -> time:
    match = _TIME.fullmatch(text)
    if match is None:
        message = f"{text[:20]!r} is not a time of a day such as 22:00."
        raise InputError(ErrorCode.INVALID, message, ("input", "quietHours", field))
    return time(int(match[1]), int(match[2]))
