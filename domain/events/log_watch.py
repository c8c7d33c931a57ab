"""Looks whether users' event logs have grown: one read for all subscriptions of a node, however many there are."""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from uuid import UUID

from domain.core.background import cancel_and_wait
from domain.core.repeating import repeat
from domain.ports.unit_of_work import Database

USERS_A_READ = 1_000


class LogWatch:
    """Wakes those who follow a user's log when it has grown, within `every_seconds`, whatever the bus loses.

    While the database can't be read all are woken, so that each learns of it.
    """

    def __init__(self, database: Database, every_seconds: float) -> None:
        self._database = database
        self._every_seconds = every_seconds
        self._followers: defaultdict[UUID, list[Callable[[], None]]] = defaultdict(list)
        self._heads: dict[UUID, int] = {}
        self._task: asyncio.Task[None] | None = None

    def follow(self, user_id: UUID, wake: Callable[[], None]) -> None:
        """Call `wake` each time that the log has grown; what was in it before the call may be told too."""
        self._followers[user_id].append(wake)
        if self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name="look at event logs")

    async def unfollow(self, user_id: UUID, wake: Callable[[], None]) -> None:
        """Don't call `wake` any more."""
        self._followers[user_id].remove(wake)
        if not self._followers[user_id]:
            del self._followers[user_id]
            self._heads.pop(user_id, None)
        if not self._followers and self._task is not None:
            task, self._task = self._task, None
            await cancel_and_wait(task)

    async def _run(self) -> None:
        await asyncio.sleep(self._every_seconds)  # a follower reads by itself first
        failure = "it could not be looked at whether event logs have grown"
        await repeat(self._look, failure, self._every_seconds, on_failure=self._wake_all)

    async def _look(self) -> None:
        users = list(self._followers)
        for start in range(0, len(users), USERS_A_READ):
            async with self._database.read_only() as reading:
                heads = await reading.events.heads(users[start : start + USERS_A_READ])
            self._compare(heads)

    def _compare(self, heads: dict[UUID, int]) -> None:
        for user_id, sequence in heads.items():
            if user_id in self._followers and self._heads.get(user_id) != sequence:
                self._heads[user_id] = sequence
                self._wake(user_id)

    def _wake(self, user_id: UUID) -> None:
        for wake in tuple(self._followers[user_id]):
            wake()

    def _wake_all(self) -> None:
        for user_id in tuple(self._followers):
            self._wake(user_id)
