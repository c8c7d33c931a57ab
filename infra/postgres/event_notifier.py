"""Publishes on the bus that users' event logs have grown."""

import asyncio
from collections.abc import Mapping
from uuid import UUID

from domain.events.notices import ANYTHING, EventNotice, encode_notices
from domain.model.events import events_topic
from domain.ports.bus import MessageBus

_MAXIMUM_NOTICES = 100
"""Of one message; beyond that it says that anything may have changed."""


class EventNotifier:
    """Publishes after the commit from a background task, so that a slow bus never delays an order.

    Notifications for the same user are coalesced.
    """

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._pending: dict[UUID, set[EventNotice]] = {}
        self._task: asyncio.Task[None] | None = None

    def notify(self, notices: Mapping[UUID, set[EventNotice]]) -> None:
        """Publish soon that these users' logs have grown, and what that means."""
        for user_id, of_user in notices.items():
            self._pending.setdefault(user_id, set()).update(of_user)
        if self._pending and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._publish())

    async def close(self) -> None:
        """Return when everything has been published."""
        if self._task is not None:
            await self._task

    async def _publish(self) -> None:
        while self._pending:
            user_id = next(iter(self._pending))
            notices = self._pending.pop(user_id)
            message = ANYTHING if len(notices) > _MAXIMUM_NOTICES else encode_notices(notices)
            await self._bus.publish(events_topic(user_id), message)
