"""The queue before the password hasher: short, shared out among clients, with a place kept for those who are known."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from domain.core.errors import RateLimited
from domain.core.fair_queue import FairQueue, QueueFull
from domain.ports.users import PasswordHasher

TURNS_OF_KNOWN: Final = 1
"""How many hashes at once are kept for clients that have proved before who they are."""

WAITING_PER_CLIENT: Final = 4
WAITING_IN_ALL: Final = 30
"""Some three seconds' work of one thread."""

RETRY_AFTER_SECONDS: Final = 3


class HashQueue:
    """Hashes and verifies in turn; raises `RateLimited` at once where too many wait.

    Strangers never take the last of the hasher's threads, so that a flood of them neither keeps a known client waiting
    nor takes all of the machine.
    """

    def __init__(self, hasher: PasswordHasher) -> None:
        self._hasher = hasher
        strangers = max(hasher.threads - TURNS_OF_KNOWN, 1)
        limits = {"waiting_per_client": WAITING_PER_CLIENT, "waiting_in_all": WAITING_IN_ALL}
        self._strangers = FairQueue(strangers, **limits)
        self._known = FairQueue(TURNS_OF_KNOWN, **limits)

    async def hash(self, client: str, password: str, *, known: bool = False) -> str:
        """Return the encoded hash."""
        async with self._turn(client, known=known):
            return await self._hasher.hash(password)

    async def verify(self, client: str, password_hash: str | None, password: str, *, known: bool = False) -> bool:
        """Tell whether the password is right."""
        async with self._turn(client, known=known):
            return await self._hasher.verify(password_hash, password)

    @asynccontextmanager
    async def _turn(self, client: str, *, known: bool) -> AsyncIterator[None]:
        try:
            async with (self._known if known else self._strangers).turn(client):
                yield
        except QueueFull:
            raise RateLimited("Too many passwords are being checked", RETRY_AFTER_SECONDS) from None
