"""What one operation reads from the database: reads that run at the same time see it at one moment."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from domain.core.errors import Unavailable
from domain.ports.event_log import EventHistory
from domain.ports.unit_of_work import Database, UnitOfWork


class OperationReads:
    """Reads one after another in a snapshot that lasts until none is left.

    Fields of one object are read at the same time, so a client that sees an order filled sees the position it made.
    What lies deeper is read later, so it is at least as new as what it belongs to. No connection is held while an
    operation waits for something else.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = asyncio.Lock()
        self._readers = 0
        self._snapshot: AbstractAsyncContextManager[UnitOfWork] | None = None
        self._reading: UnitOfWork | None = None
        self._failure: Unavailable | None = None

    def event_history(self) -> EventHistory:
        """Return the users' event logs, as these reads see them; archived files are read after the snapshot."""
        return self._database.event_history(self.read_only)

    @asynccontextmanager
    async def read_only(self) -> AsyncIterator[UnitOfWork]:
        """Wait for the reads before this one; raises `Unavailable`, also if one of these did."""
        self._readers += 1
        try:
            async with self._turn, self._in_snapshot() as reading:
                yield reading
        finally:
            self._readers -= 1
            if not self._readers:
                self._failure = None
                await self._end()

    @asynccontextmanager
    async def _in_snapshot(self) -> AsyncIterator[UnitOfWork]:
        # Each further attempt could take as long as the one that failed.
        if self._failure is not None:
            raise self._failure
        try:
            if self._reading is None:
                snapshot = self._database.snapshot()
                self._reading = await snapshot.__aenter__()
                self._snapshot = snapshot
            yield self._reading
        except BaseException as error:
            # PostgreSQL refuses all further statements of a transaction of which one has failed.
            self._failure = error if isinstance(error, Unavailable) else None
            await self._end()
            raise

    async def _end(self) -> None:
        snapshot, self._snapshot, self._reading = self._snapshot, None, None
        if snapshot is not None:
            await snapshot.__aexit__(None, None, None)
