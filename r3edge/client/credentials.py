"""The token that a client sends: a fixed one, or one that is asked for when the last isn't accepted any more."""

import asyncio
from collections.abc import Awaitable, Callable

TokenSource = Callable[[], Awaitable[str]]
"""Signs in and returns a token."""


class Credentials:
    """The present token; operations that find it refused at the same time ask for one new token together."""

    def __init__(self, token: str | TokenSource | None) -> None:
        self._source = token if callable(token) else None
        self._token = None if callable(token) else token
        self._lock = asyncio.Lock()

    async def token(self) -> str | None:
        """Return the token, after signing in if there is none yet."""
        async with self._lock:
            if self._token is None and self._source is not None:
                self._token = await self._source()
            return self._token

    async def replace(self, refused: str | None) -> bool:
        """Forget a token that was refused; return whether there may be another one."""
        async with self._lock:
            if self._token != refused:  # another operation was first
                return True
            if self._source is None:
                return False
            self._token = None
            return True
