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
        body = json.dumps({"chat_id": recipient, "text": message.text, "link_preview_options": {"is_disabled": True}})
        headers = {"Content-Type": "application/json"}
        address = f"{self._base_url}/bot{secrets[0]}/sendMessage"
        # The operator's setting, not a user's word: no check of the network.
        answer = await self._http.post(address, body.encode(), headers, checked=False)
        if answer.status != OK:
            reason = _REASONS.get(answer.status, f"Telegram answered {answer.status}.")
            raise NotDelivered(reason, retry_after=_retry_after(answer))


def _retry_after(answer: Answer) -> float | None:
    """Return for how many seconds Telegram asks to be left alone: ResponseParameters.retry_after."""
    try:
        seconds = json.loads(answer.body)["parameters"]["retry_after"]
    except (ValueError, KeyError, TypeError):
        return retry_seconds(answer.retry_after)
    return float(seconds) if isinstance(seconds, int) and seconds > 0 else None
