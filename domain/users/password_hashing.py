"""The queue for the password hasher: short, fair among clients, with a thread reserved for known ones."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from domain.core.errors import RateLimited
from domain.core.fair_queue import FairQueue, QueueFull
from domain.core.presence import require_client
from domain.ports.users import PasswordHasher

NO_PASSWORD: Final = ""
"""The hash of a user who has no password, which no password fits."""

RESERVED_FOR_KNOWN: Final = 1
"""How many concurrent hashes are reserved for clients that have signed in before."""

WAITING_PER_CLIENT: Final = 4
WAITING_IN_ALL: Final = 30
"""Some three seconds' work of one thread."""

RETRY_AFTER_SECONDS: Final = 3


class HashQueue:
    """Hashes and verifies passwords in turn; raises `RateLimited` at once if too many are waiting.

    Nothing is hashed for a client that has left before its turn (`ClientHasLeft`).

    Unknown clients never use the last of the hasher's threads, so that a flood of them neither delays a known client
    nor takes the whole processor.
    """

    def __init__(self, hasher: PasswordHasher) -> None:
        self._hasher = hasher
        unknown_turns = max(hasher.threads - RESERVED_FOR_KNOWN, 1)
        limits = {"waiting_per_client": WAITING_PER_CLIENT, "waiting_in_all": WAITING_IN_ALL}
        self._unknown = FairQueue(unknown_turns, **limits)
        self._known = FairQueue(RESERVED_FOR_KNOWN, **limits)

    def needs_rehash(self, password_hash: str) -> bool:
        """Return whether the hash was made with other parameters than a new one would be."""
        return self._hasher.needs_rehash(password_hash)

    async def hash(self, client: str, password: str, *, known: bool = False) -> str:
        """Return the encoded hash of the password, computed when it is the client's turn."""
        async with self._turn(client, known=known):
            return await self._hasher.hash(password)

    async def verify(self, client: str, password_hash: str | None, password: str, *, known: bool = False) -> bool:
        """Return whether the password is right, checked when it is the client's turn."""
        async with self._turn(client, known=known):
            return await self._hasher.verify(password_hash, password)

    @asynccontextmanager
    async def _turn(self, client: str, *, known: bool) -> AsyncIterator[None]:
        try:
            async with (self._known if known else self._unknown).turn(client):
                require_client()
                yield
        except QueueFull:
            raise RateLimited("Too many passwords are being checked", RETRY_AFTER_SECONDS) from None
