"""What is asked of a new channel, and what may be wrong with it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from domain.core.errors import ErrorCode, InputError
from domain.model.events import UserEventKind
from domain.model.notifications import HUMAN_KINDS, ChannelKind, QuietHours

MAXIMUM_PER_HOUR: Final = 1_000
_BOT_TOKEN: Final = re.compile(r"\d{3,20}:[A-Za-z0-9_-]{20,100}")
_CHAT: Final = re.compile(r"-?\d{1,20}|@[A-Za-z0-9_]{4,64}")


@dataclass(frozen=True, slots=True)
class ChannelRequest:
    """The channel to create, as its user describes it; for a webhook `url`, for Telegram `chat` and `bot_token`."""

    kind: ChannelKind
    name: str
    event_kinds: Sequence[UserEventKind]
    url: str | None = None
    chat: str | None = None
    bot_token: str | None = None
    quiet_hours: QuietHours | None = None
    max_per_hour: int | None = None


def kind_errors(request: ChannelRequest, *, is_new: bool) -> list[InputError]:
    """Return the errors of the fields that a kind of channel has to have, and may not have."""
    fields = {"url": request.url, "chat": request.chat, "botToken": request.bot_token}
    own = {ChannelKind.WEBHOOK: {"url"}, ChannelKind.TELEGRAM: {"chat", "botToken"}, ChannelKind.EMAIL: set[str]()}
    errors = [
        invalid(name, f"A channel of the kind {request.kind.value} has no {name}; leave it out.")
        for name, value in fields.items()
        if value is not None and name not in own[request.kind]
    ]
    errors += [
        invalid(name, f"A channel of the kind {request.kind.value} needs {name}.")
        for name, value in fields.items()
        if is_new and value is None and name in own[request.kind]
    ]
    if request.chat is not None and not _CHAT.fullmatch(request.chat):
        message = f"{request.chat[:50]!r} is not the id of a chat such as 123456789, -100123456789 or @mychannel."
        errors.append(invalid("chat", message))
    if request.bot_token is not None and not _BOT_TOKEN.fullmatch(request.bot_token):
        # It isn't repeated: it is a secret.
        errors.append(invalid("botToken", "This is not a token as BotFather gives them: digits, a colon, 35 others."))
    return errors


def people_errors(request: ChannelRequest) -> list[InputError]:
    """Return the errors of the kinds of events, and of what only channels have that people read."""
    errors = []
    if not request.event_kinds:
        errors.append(invalid("eventKinds", "eventKinds is empty; name at least one, or disable the channel."))
    if request.kind not in HUMAN_KINDS:
        given = {"quietHours": request.quiet_hours, "maxPerHour": request.max_per_hour}
        message = "A webhook delivers every event at once, since programs read it; leave {} out."
        errors += [invalid(name, message.format(name)) for name, value in given.items() if value is not None]
    elif request.max_per_hour is not None and not 1 <= request.max_per_hour <= MAXIMUM_PER_HOUR:
        message = f"maxPerHour is {request.max_per_hour}; it must be from 1 to {MAXIMUM_PER_HOUR:,}."
        errors.append(invalid("maxPerHour", message))
    return errors


def invalid(field: str, message: str) -> InputError:
    """Return the error of a field of the input."""
    return InputError(ErrorCode.INVALID, message, ("input", field))
