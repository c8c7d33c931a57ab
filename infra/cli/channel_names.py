"""Finds the notification channels that a command names."""

from collections.abc import Sequence
from uuid import UUID

from domain.model.notifications import NotificationChannel
from domain.ports.unit_of_work import UnitOfWork
from infra.cli.named_objects import chosen


async def found_channel_ids(reading: UnitOfWork, user_id: UUID, names: Sequence[str]) -> tuple[UUID, ...]:
    """Return the ids of the user's channels with these names or ids; raises `BadArgument`."""
    if not names:
        return ()
    channels = await reading.channels.list_of_user(user_id)
    return tuple(chosen_channel(channels, name).id for name in names)


def chosen_channel(channels: Sequence[NotificationChannel], name: str) -> NotificationChannel:
    """Return the one of these channels with a name or an id; raises `BadArgument` if none has it, or several."""
    return chosen("channel", "NotificationChannel", channels, name)
