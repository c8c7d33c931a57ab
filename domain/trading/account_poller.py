"""Finds the accounts of a node that have anything to look after, in one query, in case a notification was lost."""

import asyncio
import logging
from collections.abc import Callable, Collection
from typing import NoReturn
from uuid import UUID

from domain.core.errors import Unavailable
from domain.ports.unit_of_work import Database

_log = logging.getLogger(__name__)


class AccountPoller:
    """Wakes the accounts that have trading sessions, positions, orders, protections or intents.

    An account at rest costs nothing: what looks after it asks the database only when it is woken.
    """

    def __init__(self, database: Database, wake: Callable[[Collection[UUID]], None], interval: float) -> None:
        self._database = database
        self._wake = wake
        self._interval = interval

    async def run(self) -> NoReturn:
        """Poll until cancelled, every `interval` seconds."""
        while True:
            await asyncio.sleep(self._interval)
            try:
                await self.poll()
            except Unavailable as error:
                _log.warning("the accounts' keepers wait for the database: %s", error.message)

    async def poll(self) -> None:
        """Look once, and wake the accounts that don't rest, wherever they are traded."""
        async with self._database.read_only() as reading:
            busy = await reading.accounts.list_busy()
        self._wake(busy)
