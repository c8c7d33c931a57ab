"""Messages to Telegram by its Bot API: https://core.telegram.org/bots/api#sendmessage."""

import json
from collections.abc import Sequence
from typing import Final

from domain.model.notifications import ChannelMessage, NotificationChannel
from domain.ports.notifications import NotDelivered
from infra.outgoing.http import Answer, OutgoingHttp
from infra.outgoing.webhook import retry_seconds

OK: Final = 200
_REASONS: Final = {
    400: "Telegram knows no such chat, or refused the message (400).",
    401: "Telegram doesn't accept the bot's token (401).",
    403: "The bot may not write to this chat: start a conversation with it, or add it to the group (403).",
    404: "Telegram knows no bot with this token (404).",
    429: "Telegram takes no more messages for a while (429).",
}


class TelegramSender:
    """See `domain.ports.notifications.ChannelSender`; the token is a part of the address, which nothing repeats."""

    def __init__(self, http: OutgoingHttp, base_url: str) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")

    async def send(
        self, channel: NotificationChannel, recipient: str, secrets: Sequence[str], message: ChannelMessage
    ) -> None:
        del channel
        answer = await self._post(recipient, secrets[0], message)
        if (supergroup := _parameter(answer, "migrate_to_chat_id")) is not None:
            # A group that has become a supergroup keeps its people and its bot, under another id.
            answer = await self._post(str(supergroup), secrets[0], message)
        if answer.status != OK:
            reason = _REASONS.get(answer.status, f"Telegram answered {answer.status}.")
            raise NotDelivered(reason, retry_after=_retry_after(answer))

    async def _post(self, chat: str, token: str, message: ChannelMessage) -> Answer:
        body = json.dumps({"chat_id": chat, "text": message.text, "link_preview_options": {"is_disabled": True}})
        headers = {"Content-Type": "application/json"}
        # The operator's setting, not a user's word: no check of the network.
        return await self._http.post(f"{self._base_url}/bot{token}/sendMessage", body.encode(), headers, checked=False)


def _retry_after(answer: Answer) -> float | None:
    """Return for how many seconds Telegram asks to be left alone."""
    seconds = _parameter(answer, "retry_after")
    if seconds is None:
        return retry_seconds(answer.retry_after)
    return float(seconds) if seconds > 0 else None


def _parameter(answer: Answer, name: str) -> int | None:
    """Return a number of an error's ResponseParameters, if it is there."""
    if answer.status == OK:
        return None
    try:
        value = json.loads(answer.body)["parameters"][name]
    except (ValueError, KeyError, TypeError):
        return None
    return value if isinstance(value, int) else None
