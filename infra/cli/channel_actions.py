"""What `r3edge channel` does, in the database of an engine that runs or doesn't."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Final
from uuid import UUID

from domain.core.csv_rows import csv_text
from domain.core.pagination import KeysetPage
from domain.model.notifications import ChannelDelivery, NotificationChannel
from domain.notifications.channels import ChannelChanges, ChannelService
from domain.ports.lists import NoFilter, Owner
from domain.ports.unit_of_work import UnitOfWork
from infra.cli.arguments import BadArgument
from infra.cli.channel_names import chosen_channel
from infra.cli.user_scope import UserScope, open_user_scope
from infra.runtime.data_dir import known_secret_key
from infra.runtime.outgoing import open_outgoing
from infra.security import AesVault, RandomTokens
from infra.settings import Settings
from resolvers.ids import encode_id

_PURPOSE: Final = "r3edge channel"
_COLUMNS: Final = (
    "id", "name", "kind", "status", "receiver", "event_kinds", "quiet_from", "quiet_to", "max_per_hour",
    "last_delivered_at", "last_error",
)  # fmt: skip
_LOG_COLUMNS: Final = ("created_at", "finished_at", "status", "event_kind", "attempts", "error", "message_id")


class ChannelCommands:
    """Reads and changes the notification channels of the user with that email, or of the only one."""

    def __init__(self, settings: Settings, email: str | None) -> None:
        self._settings = settings
        self._email = email

    async def list_all(self) -> str:
        """Return the channels as CSV."""
        async with self._scope() as scope, scope.database.read_only() as reading:
            channels = await reading.channels.list_of_user(scope.user.id)
        lines = [
            (
                encode_id("NotificationChannel", one.id), one.name, one.kind.value, one.status.value, one.target,
                " ".join(one.event_kinds), _clock(one.quiet_from), _clock(one.quiet_until),
                None if one.max_per_hour is None else Decimal(one.max_per_hour), one.last_delivered_at, one.last_error,
            )
            for one in channels
        ]  # fmt: skip
        return csv_text([_COLUMNS, *lines])

    async def log(self, name: str, first: int) -> str:
        """Return the newest deliveries of a channel as CSV, the newest first; raises `BadArgument`."""
        async with self._scope() as scope, scope.database.read_only() as reading:
            channel = await _found(reading, scope.user.id, name)
            lists = reading.lists.channel_deliveries
            found = await lists.pages(Owner.NOTIFICATION_CHANNEL, [channel.id], KeysetPage(first), NoFilter())
        lines = [
            (
                one.created_at, one.finished_at, one.status.value,
                "test" if one.event_kind is None and one.sequence is None else one.event_kind,
                Decimal(one.attempts), one.error, one.message_id,
            )
            for one in found[channel.id]
        ]  # fmt: skip
        return csv_text([_LOG_COLUMNS, *lines])

    async def update(self, name: str, changes: ChannelChanges) -> NotificationChannel:
        """Change a channel, but for its receiver; raises `BadArgument`, and as `ChannelService.update`."""
        async with self._open(name) as (scope, service, channel):
            return await service.update_settings(scope.user.id, channel.id, changes)

    async def test(self, name: str) -> ChannelDelivery:
        """Send a test message now, once; raises `BadArgument`, and as `ChannelService.test`."""
        async with self._open(name) as (scope, service, channel):
            return await service.test(scope.user, channel.id)

    async def delete(self, name: str) -> NotificationChannel:
        """Delete a channel with its log, at once; raises `BadArgument`."""
        async with self._open(name) as (scope, service, channel):
            return await service.delete(scope.user.id, channel.id)

    @asynccontextmanager
    async def _scope(self) -> AsyncGenerator[UserScope]:
        async with open_user_scope(self._settings, _PURPOSE, self._email) as scope:
            yield scope

    @asynccontextmanager
    async def _open(self, name: str) -> AsyncGenerator[tuple[UserScope, ChannelService, NotificationChannel]]:
        async with self._scope() as scope, open_outgoing(self._settings, scope.clock) as outgoing:
            async with scope.database.read_only() as reading:
                channel = await _found(reading, scope.user.id, name)
            service = ChannelService(
                scope.database, outgoing.senders, outgoing.guard, self._vault(), RandomTokens(), scope.clock, scope.ids
            )
            yield scope, service, channel

    def _vault(self) -> AesVault:
        folder = self._settings.data_dir.expanduser().absolute()
        try:
            key = known_secret_key(self._settings, folder)
        except (OSError, ValueError):
            raise BadArgument(f"the secret key in {folder} can't be read; `r3edge doctor` says why") from None
        if key is None:
            raise BadArgument(
                f"the secret key is neither in {folder} nor set (R3EDGE_SECRET_KEY); use the engine's own --data-dir"
            )
        return AesVault(key, self._settings.earlier_keys)


def _clock(moment: object) -> str | None:
    return None if moment is None else f"{moment:%H:%M}"


async def _found(reading: UnitOfWork, user_id: UUID, name: str) -> NotificationChannel:
    return chosen_channel(await reading.channels.list_of_user(user_id), name)
