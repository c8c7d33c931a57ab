"""Messages to webhooks, signed as Standard Webhooks says: https://github.com/standard-webhooks/standard-webhooks."""

import base64
import hmac
from collections.abc import Sequence
from typing import Final

from domain.core.clock import Clock
from domain.model.notifications import ChannelMessage, NotificationChannel
from domain.notifications.channels import SECRET_PREFIX
from domain.ports.notifications import NotDelivered
from infra.outgoing.http import Answer, OutgoingHttp

GONE: Final = 410
_OK: Final = range(200, 300)
_REDIRECTS: Final = range(300, 400)


class WebhookSender:
    """See `domain.ports.notifications.ChannelSender`."""

    def __init__(self, http: OutgoingHttp, clock: Clock) -> None:
        self._http = http
        self._clock = clock

    async def send(
        self, channel: NotificationChannel, recipient: str, secrets: Sequence[str], message: ChannelMessage
    ) -> None:
        # The time of the attempt, not of the event: a receiver refuses what is minutes old as a repeated one.
        timestamp = int(self._clock.now().timestamp())
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message.id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(
                signature(secret, message.id, timestamp, message.payload) for secret in secrets
            ),
        }
        raise_unless_taken(await self._http.post(recipient, message.payload, headers, owner=channel.user_id))


def signature(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """Return the signature of a message: its version, and a HMAC-SHA-256 of id, time in seconds, and body."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    signed = b".".join((message_id.encode(), str(timestamp).encode(), body))
    return f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}"


def raise_unless_taken(answer: Answer) -> None:
    """Raise `NotDelivered` unless the server has taken the message; nothing of the answer's text is repeated."""
    if answer.status in _OK:
        return
    if answer.status in _REDIRECTS:
        raise NotDelivered(f"The receiver answered {answer.status}; redirects aren't followed: name the final address.")
    if answer.status == GONE:
        raise NotDelivered("The receiver answered 410 (gone): it wants no more messages.", is_final=True)
    raise NotDelivered(f"The receiver answered {answer.status}.", retry_after=retry_seconds(answer.retry_after))


def retry_seconds(text: str | None) -> float | None:
    """Return the seconds of a header `Retry-After` (RFC 9110, 10.2.3); None without one, or with a date."""
    return (
        float(text) if text is not None and text.isascii() and text.isdigit() and len(text) < len("1000000") else None
    )
