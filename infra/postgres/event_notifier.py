"""Publishes on the bus that users' event logs have grown."""

import asyncio
from collections.abc import Iterable
from uuid import UUID

from domain.model.events import events_topic
from domain.ports.bus import MessageBus


class EventNotifier:
    """Publishes after the commit from a background task, so that a slow bus never delays an order.

    Notifications for the same user are coalesced.
    """

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._pending: dict[UUID, None] = {}
        self._task: asyncio.Task[None] | None = None

    def notify(self, users: Iterable[UUID]) -> None:
        """Publish soon that these users' logs have grown."""
        self._pending.update(dict.fromkeys(users))
        if self._pending and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._publish())

    async def close(self) -> None:
        """Return when everything has been published."""
        if self._task is not None:
            await self._task

    async def _publish(self) -> None:
        while self._pending:
            user_id = next(iter(self._pending))
            del self._pending[user_id]
            await self._bus.publish(events_topic(user_id), b"")
