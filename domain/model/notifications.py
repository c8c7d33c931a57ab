"""Notification channels, by which users hear of their events elsewhere, and the log of what was sent."""

from dataclasses import dataclass
from datetime import datetime, time
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain.model.events import UserEventKind


class ChannelKind(StrEnum):
    """How a channel reaches its user."""

    WEBHOOK = "WEBHOOK"
    EMAIL = "EMAIL"
    TELEGRAM = "TELEGRAM"


class ChannelStatus(StrEnum):
    """Whether a channel delivers. One that failed for too long is FAILING until its user enables it again."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"
    FAILING = "FAILING"


class DeliveryStatus(StrEnum):
    """What has become of a message so far."""

    DELIVERED = "DELIVERED"
    RETRYING = "RETRYING"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The hours of each day in which a channel is quiet, by the user's own time zone; they may span midnight."""

    start: time
    end: time


@dataclass(frozen=True, slots=True)
class NotificationChannel:
    """Where a user's events are delivered to, in the order of the log, each at least once.

    `target` is the address of a webhook, or the id of a Telegram chat; an email goes to the user's own. `secret` is
    sealed: what webhooks are signed with, or the token of the bot; `previous_secret` signs too until `previous_until`.
    All events up to `sequence`, which happened at `sequence_at`, are dealt with. `attempts` counts the tries to send
    the next message, the first of them at `failing_since`; `is_held_back` says that it is late by quiet hours or by
    `max_per_hour`, and so is the summary of all that is due then.
    """

    id: UUID
    user_id: UUID
    kind: ChannelKind
    name: str
    target: str | None
    secret: bytes | None
    event_kinds: tuple[UserEventKind, ...]
    status: ChannelStatus
    created_at: datetime
    sequence: int
    due_at: datetime
    sequence_at: datetime | None = None
    quiet_from: time | None = None
    quiet_until: time | None = None
    max_per_hour: int | None = None
    previous_secret: bytes | None = None
    previous_until: datetime | None = None
    attempts: int = 0
    failing_since: datetime | None = None
    is_held_back: bool = False
    last_error: str | None = None
    last_error_at: datetime | None = None
    last_delivered_at: datetime | None = None

    @property
    def quiet_hours(self) -> QuietHours | None:
        """When the channel is quiet; None if it never is."""
        if self.quiet_from is None or self.quiet_until is None:
            return None
        return QuietHours(self.quiet_from, self.quiet_until)


@dataclass(frozen=True, slots=True)
class ChannelDelivery:
    """One message of a channel in the log of deliveries: the events from `first_sequence` to `sequence`.

    A test message has none. `message_id` is the same at each attempt.
    """

    id: UUID
    channel_id: UUID
    user_id: UUID
    message_id: str
    created_at: datetime
    status: DeliveryStatus
    attempts: int
    first_sequence: int | None = None
    sequence: int | None = None
    event_kind: UserEventKind | None = None
    finished_at: datetime | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ChannelMessage:
    """A message as it is sent: JSON for programs, a title and a text for people.

    `id` is the same at each attempt, so that a reader's program can drop the second copy.
    """

    id: str
    at: datetime
    title: str
    text: str
    payload: bytes


HUMAN_KINDS: Final = frozenset({ChannelKind.EMAIL, ChannelKind.TELEGRAM})
"""The channels that people read: these have quiet hours and a cap."""
