"""All open sockets and streams, by the credential that they were opened with, so that revoking it closes them."""

import asyncio
import random
from collections import defaultdict
from typing import Final, Protocol

from infra.web.connections.close_codes import CloseCode
from infra.web.metrics import WebMetrics

CLOSE_PAUSE_SECONDS: Final = 0.002
MOST_CLOSE_SECONDS: Final = 5.0
"""Over how many seconds the sockets of a server that stops are closed at most."""

CLOSING_REASON: Final = "The server stops: connect again"


class Closable(Protocol):
    """A connection that can be closed from outside."""

    async def close(self, code: CloseCode, reason: str) -> None:
        """Close it; nothing happens if it is closed already."""
        ...


class ConnectionRegistry:
    """The open sockets and streams of this process."""

    def __init__(self, metrics: WebMetrics) -> None:
        self._metrics = metrics
        self._open: dict[Closable, str | None] = {}
        self._by_credential: defaultdict[str, set[Closable]] = defaultdict(set)
        self.is_closing = False
        """Whether the server stops or drains; a connection that is added from then on must close itself."""

    def __len__(self) -> int:
        return len(self._open)

    def add(self, connection: Closable) -> None:
        """Add a connection that has no credential yet."""
        self._open[connection] = None
        self._metrics.sockets.inc()

    def set_credential(self, connection: Closable, credential_id: str | None) -> None:
        """Record which credential a connection was opened with."""
        if credential_id is not None and connection in self._open:
            self._open[connection] = credential_id
            self._by_credential[credential_id].add(connection)

    def remove(self, connection: Closable) -> None:
        """Remove a connection that has ended."""
        if connection not in self._open:
            return
        self._metrics.sockets.dec()
        credential_id = self._open.pop(connection)
        if credential_id is None:
            return
        self._by_credential[credential_id].discard(connection)
        if not self._by_credential[credential_id]:
            del self._by_credential[credential_id]

    @property
    def credentials(self) -> tuple[str, ...]:
        """The ids of all credentials that a socket is open for."""
        return tuple(self._by_credential)

    async def close_credential(self, credential_id: str) -> int:
        """Close all sockets of a login session or API key with 4403; return how many there were."""
        return await self._close(tuple(self._by_credential.get(credential_id, ())), CloseCode.FORBIDDEN, "Forbidden")

    async def close_all(self) -> int:
        """Close all sockets, and those that are opened from now on, because the server stops or drains.

        Many are closed over some seconds, in any order, so that not all of their clients come to other servers at the
        same moment. Return how many there were.
        """
        self.is_closing = True
        connections = random.sample(tuple(self._open), len(self._open))
        pause = min(CLOSE_PAUSE_SECONDS, MOST_CLOSE_SECONDS / max(len(connections), 1))
        await asyncio.gather(*(_close_after(pause * index, each) for index, each in enumerate(connections)))
        return len(connections)

    def reopen(self) -> None:
        """Let sockets be opened again."""
        self.is_closing = False

    @staticmethod
    async def _close(connections: tuple[Closable, ...], code: CloseCode, reason: str) -> int:
        await asyncio.gather(*(connection.close(code, reason) for connection in connections))
        return len(connections)


async def _close_after(seconds: float, connection: Closable) -> None:
    if seconds:
        await asyncio.sleep(seconds)
    await connection.close(CloseCode.SERVICE_RESTART, CLOSING_REASON)
