"""The ports of notification channels: where they are stored, and what sends their messages."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.model.notifications import ChannelDelivery, ChannelMessage, NotificationChannel


class NotDelivered(Exception):
    """A message wasn't taken. The text is for the user: it has no secret and nothing of what the server answered.

    `retry_after` is for how many seconds the receiver asked not to be tried; with `is_final` it wants no more messages.
    """

    def __init__(self, reason: str, *, retry_after: float | None = None, is_final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after = retry_after
        self.is_final = is_final


class ChannelSender(Protocol):
    """Sends messages of one kind of channel."""

    async def send(
        self, channel: NotificationChannel, recipient: str, secrets: Sequence[str], message: ChannelMessage
    ) -> None:
        """Return once the receiver has taken the message; raises `NotDelivered`.

        `secrets` are those of the channel, the present one first.
        """
        ...


class ChannelRepository(Protocol):
    """Channels and their deliveries."""

    async def add(self, channel: NotificationChannel) -> None:
        """Insert a channel."""
        ...

    async def get(self, user_id: UUID, channel_id: UUID) -> NotificationChannel | None:
        """Return a channel of the user."""
        ...

    async def get_for_update(self, user_id: UUID, channel_id: UUID) -> NotificationChannel | None:
        """Return a channel of the user, and lock it until the transaction ends."""
        ...

    async def list_of_user(self, user_id: UUID) -> list[NotificationChannel]:
        """Return the user's channels, oldest first."""
        ...

    async def save(self, channel: NotificationChannel) -> None:
        """Store a channel that the user has changed; who is delivering has to claim it again."""
        ...

    async def delete(self, channel_id: UUID) -> None:
        """Delete a channel with its deliveries."""
        ...

    async def disable_all(self, user_id: UUID) -> None:
        """Disable the user's channels and drop their earlier secrets; a claim for delivering ends."""
        ...

    async def claim_due(
        self, holder: str, now: datetime, until: datetime, limit: int, exclude: Sequence[UUID]
    ) -> list[NotificationChannel]:
        """Claim channels that are due and behind their user's log, those that have waited longest first.

        Nobody else gets one before `until`, unless it is released.
        """
        ...

    async def save_progress(self, channel: NotificationChannel, holder: str, until: datetime) -> bool:
        """Store how far a claimed channel is and extend the claim; False if the claim is another's by now."""
        ...

    async def release(self, channel_id: UUID, holder: str) -> None:
        """End a claim at once; nothing happens if it is another's."""
        ...

    async def log_delivery(self, delivery: ChannelDelivery) -> None:
        """Insert a delivery, or store how it has gone on."""
        ...

    async def get_delivery(self, user_id: UUID, delivery_id: UUID) -> ChannelDelivery | None:
        """Return a delivery of the user."""
        ...

    async def count_tests(self, user_id: UUID, since: datetime) -> int:
        """Return how many test messages were sent for the user since then."""
        ...

    async def count_delivered(self, channel_id: UUID, since: datetime) -> tuple[int, datetime | None]:
        """Return how many messages the channel has delivered since then, and when the first of them was."""
        ...

    async def delete_deliveries(self, ended_before: datetime, limit: int) -> int:
        """Delete up to `limit` entries of the log of deliveries that are older, and return how many."""
        ...

    async def sealed_secrets(self) -> list[NotificationChannel]:
        """Return all channels that have a secret."""
        ...

    async def replace_secrets(self, channel: NotificationChannel, secret: bytes, previous: bytes | None) -> bool:
        """Store the secrets of a channel sealed under another key, unless they were changed meanwhile."""
        ...
