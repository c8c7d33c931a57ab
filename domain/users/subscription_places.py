"""The subscriptions of a user on all nodes together, by places that a node reserves for a while.

Each node counts its own subscriptions. A node that needs more places than it has reserved asks the database, under a
lock of the user's row; what it has reserved lapses by itself if the node dies. While the database can't be reached each
node counts alone.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, NoReturn
from uuid import UUID

from domain.core.errors import Unavailable
from domain.core.repeating import repeat
from domain.ports.unit_of_work import Database

log = logging.getLogger(__name__)

LIFE_SECONDS: Final = 60.0
RENEW_SECONDS: Final = 20.0
GIVE_BACK_SECONDS: Final = 1.0
"""How soon places that are free again are given back."""

SPARE: Final = 50
SPARE_PORTIONS: Final = 100


class NoPlaceLeft(Exception):
    """The user has as many subscriptions on all nodes as the plan allows."""


class SubscriptionPlaces:
    """Reserves places for the subscriptions of users on this node."""

    def __init__(
        self,
        database: Database,
        node: str,
        life_seconds: float = LIFE_SECONDS,
        give_back_seconds: float = GIVE_BACK_SECONDS,
    ) -> None:
        self._database = database
        self._node = node
        self._life_seconds = life_seconds
        self._give_back_seconds = give_back_seconds
        self._used: Counter[UUID] = Counter()
        self._reserved: dict[UUID, int] = {}
        self._locks: dict[UUID, asyncio.Lock] = {}
        self._freed: set[UUID] = set()
        self._rounds = 0

    @asynccontextmanager
    async def place(self, user_id: UUID, most: int) -> AsyncIterator[None]:
        """Hold a place inside the block; raises `NoPlaceLeft`."""
        self._used[user_id] += 1
        try:
            async with self._locks.setdefault(user_id, asyncio.Lock()):
                if self._used[user_id] > self._reserved.get(user_id, 0):
                    await self._reserve(user_id, most)
            yield
        finally:
            self._used[user_id] -= 1
            self._freed.add(user_id)

    async def run(self) -> NoReturn:
        """Keep what is used reserved, and give back what isn't, until cancelled."""
        await repeat(self._renew_due, "places of subscriptions could not be renewed", self._give_back_seconds)

    async def _renew_due(self) -> None:
        is_due = self._rounds * self._give_back_seconds % RENEW_SECONDS < self._give_back_seconds
        self._rounds += 1
        await self.renew(set(self._reserved) if is_due else self._freed & self._reserved.keys())

    async def renew(self, users: set[UUID]) -> None:
        """Reserve again what these users have in use, and nothing for those who have nothing."""
        for user_id in users:
            async with self._locks.setdefault(user_id, asyncio.Lock()):
                self._freed.discard(user_id)
                used = self._used[user_id]
                async with self._database.transaction() as transaction:
                    await transaction.plans.renew_places(user_id, self._node, used, self._life_seconds)
                self._reserved[user_id] = used
            if not used and not self._used[user_id]:
                for known in (self._reserved, self._locks, self._used):
                    known.pop(user_id, None)

    async def _reserve(self, user_id: UUID, most: int) -> None:
        used = self._used[user_id]
        wished, held = used + min(most // SPARE_PORTIONS, SPARE), min(self._reserved.get(user_id, 0), used - 1)
        try:
            async with self._database.transaction() as transaction:
                await transaction.users.lock(user_id)
                granted = await transaction.plans.reserve_places(
                    user_id, self._node, (held, wished), most, self._life_seconds
                )
        except Unavailable:
            if used > most:
                raise NoPlaceLeft from None
            return
        self._reserved[user_id] = granted
        if granted < used:
            raise NoPlaceLeft
