"""Notification channels and their deliveries in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.model.events import UserEventKind
from domain.model.notifications import (
    ChannelDelivery,
    ChannelKind,
    ChannelStatus,
    DeliveryStatus,
    NotificationChannel,
)
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.mapper import RowMapper


def _kinds(names: Sequence[str]) -> tuple[UserEventKind, ...]:
    # A newer version of the engine may know more kinds.
    return tuple(UserEventKind(name) for name in names if name in UserEventKind.__members__)


def _kind_or_none(name: str | None) -> UserEventKind | None:
    return UserEventKind(name) if name is not None and name in UserEventKind.__members__ else None


_CHANNELS: Final = RowMapper(
    "notification_channels",
    NotificationChannel,
    decoders={"kind": ChannelKind, "status": ChannelStatus, "event_kinds": _kinds},
    encoders={"event_kinds": list},
)
_DELIVERIES: Final = RowMapper(
    "channel_deliveries",
    ChannelDelivery,
    decoders={"status": DeliveryStatus, "event_kind": _kind_or_none},
    encoders={},
)
SELECT_DELIVERY: Final = _DELIVERIES.select
delivery_from_row: Final = _DELIVERIES.from_row

_OF_USER: Final = f"{_CHANNELS.select} WHERE user_id = $1"
_SAVE: Final = _CHANNELS.update("id", "user_id", "kind", "created_at")
_RELEASED: Final = "UPDATE notification_channels SET claimed_by = NULL, claimed_until = NULL WHERE id = $1"
# Those that are behind the log, and nobody's: a claim that its node didn't survive ends by itself. A kind that this
# version of the engine doesn't know is left to nodes of a newer one.
_CLAIM: Final = f"""
UPDATE notification_channels SET claimed_by = $1, claimed_until = $3 WHERE id IN (
    SELECT channel.id FROM notification_channels AS channel JOIN user_event_heads AS head USING (user_id)
    JOIN users ON users.id = channel.user_id AND users.disabled_at IS NULL
    WHERE channel.status = 'ACTIVE' AND channel.kind = ANY($6::text[]) AND channel.due_at <= $2
    AND head.sequence > channel.sequence AND channel.id <> ALL($5::uuid[])
    AND (channel.claimed_until IS NULL OR channel.claimed_until <= $2)
    ORDER BY channel.due_at, channel.id LIMIT $4 FOR UPDATE OF channel SKIP LOCKED
) RETURNING {_CHANNELS.columns}"""
_PROGRESS: Final = """
UPDATE notification_channels SET sequence = $4, sequence_at = $5, due_at = $6, attempts = $7, failing_since = $8,
    is_held_back = $9, last_error = $10, last_error_at = $11, last_delivered_at = $12, status = $13, claimed_until = $3
WHERE id = $1 AND claimed_by = $2 AND status = 'ACTIVE' RETURNING id"""
_LOG: Final = f"""
{_DELIVERIES.insert()} ON CONFLICT (channel_id, message_id) DO UPDATE SET
    status = excluded.status, attempts = excluded.attempts, finished_at = excluded.finished_at, error = excluded.error,
    sequence = excluded.sequence, event_kind = excluded.event_kind
"""
_TESTS: Final = "SELECT count(*) FROM channel_deliveries WHERE user_id = $1 AND sequence IS NULL AND created_at > $2"
_DELIVERED: Final = """
SELECT count(*), min(finished_at) FROM channel_deliveries
WHERE channel_id = $1 AND sequence IS NOT NULL AND status = 'DELIVERED' AND finished_at > $2"""
_DELETE_OLD: Final = """
DELETE FROM channel_deliveries WHERE id IN (SELECT id FROM channel_deliveries WHERE created_at < $1 LIMIT $2)"""
_DISABLE_ALL: Final = """
UPDATE notification_channels SET status = 'DISABLED', previous_secret = NULL, previous_until = NULL,
    claimed_by = NULL, claimed_until = NULL WHERE user_id = $1"""
_REPLACE: Final = """
UPDATE notification_channels SET secret = $3, previous_secret = $5
WHERE id = $1 AND secret = $2 AND previous_secret IS NOT DISTINCT FROM $4 RETURNING id"""


class PostgresChannels(Repository):
    """See `domain.ports.notifications.ChannelRepository`."""

    async def add(self, channel: NotificationChannel) -> None:
        await self._connection.execute(_CHANNELS.insert(), *_CHANNELS.params(channel))

    async def get(self, user_id: UUID, channel_id: UUID) -> NotificationChannel | None:
        row = await self._connection.fetchrow(f"{_OF_USER} AND id = $2", user_id, channel_id)
        return None if row is None else _CHANNELS.from_row(row)

    async def get_for_update(self, user_id: UUID, channel_id: UUID) -> NotificationChannel | None:
        row = await self._connection.fetchrow(f"{_OF_USER} AND id = $2 FOR UPDATE", user_id, channel_id)
        return None if row is None else _CHANNELS.from_row(row)

    async def list_of_user(self, user_id: UUID) -> list[NotificationChannel]:
        rows = await self._connection.fetch(f"{_OF_USER} ORDER BY id", user_id)
        return [_CHANNELS.from_row(row) for row in rows]

    async def save(self, channel: NotificationChannel) -> None:
        await self._connection.execute(_SAVE, *_CHANNELS.params(channel))
        await self._connection.execute(_RELEASED, channel.id)

    async def delete(self, channel_id: UUID) -> None:
        await self._connection.execute("DELETE FROM notification_channels WHERE id = $1", channel_id)

    async def disable_all(self, user_id: UUID) -> None:
        await self._connection.execute(_DISABLE_ALL, user_id)

    async def claim_due(
        self, holder: str, now: datetime, until: datetime, limit: int, exclude: Sequence[UUID]
    ) -> list[NotificationChannel]:
        rows = await self._connection.fetch(_CLAIM, holder, now, until, limit, list(exclude), list(ChannelKind))
        return [_CHANNELS.from_row(row) for row in rows]

    async def save_progress(self, channel: NotificationChannel, holder: str, until: datetime) -> bool:
        progress = (
            channel.sequence,
            channel.sequence_at,
            channel.due_at,
            channel.attempts,
            channel.failing_since,
            channel.is_held_back,
            channel.last_error,
            channel.last_error_at,
            channel.last_delivered_at,
            channel.status,
        )
        return await self._connection.fetchval(_PROGRESS, channel.id, holder, until, *progress) is not None

    async def release(self, channel_id: UUID, holder: str) -> None:
        await self._connection.execute(f"{_RELEASED} AND claimed_by = $2", channel_id, holder)

    async def log_delivery(self, delivery: ChannelDelivery) -> None:
        await self._connection.execute(_LOG, *_DELIVERIES.params(delivery))

    async def get_delivery(self, user_id: UUID, delivery_id: UUID) -> ChannelDelivery | None:
        row = await self._connection.fetchrow(f"{SELECT_DELIVERY} WHERE user_id = $1 AND id = $2", user_id, delivery_id)
        return None if row is None else delivery_from_row(row)

    async def count_tests(self, user_id: UUID, since: datetime) -> int:
        return int(await self._connection.fetchval(_TESTS, user_id, since))

    async def count_delivered(self, channel_id: UUID, since: datetime) -> tuple[int, datetime | None]:
        row = await self._connection.fetchrow(_DELIVERED, channel_id, since)
        assert row is not None
        return row["count"], row["min"]

    async def delete_deliveries(self, ended_before: datetime, limit: int) -> int:
        status = await self._connection.execute(_DELETE_OLD, ended_before, limit)
        return int(status.rpartition(" ")[2])

    async def sealed_secrets(self) -> list[NotificationChannel]:
        rows = await self._connection.fetch(f"{_CHANNELS.select} WHERE secret IS NOT NULL ORDER BY id")
        return [_CHANNELS.from_row(row) for row in rows]

    async def replace_secrets(self, channel: NotificationChannel, secret: bytes, previous: bytes | None) -> bool:
        old = (channel.id, channel.secret, secret, channel.previous_secret, previous)
        return await self._connection.fetchval(_REPLACE, *old) is not None
