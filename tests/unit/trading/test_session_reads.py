"""Reads that several wait for."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast
from uuid import UUID

import pytest

from domain.core.errors import Unavailable
from domain.ports.unit_of_work import Database
from domain.trading.session_reads import TradingSessionReads

ACCOUNT, SESSION = UUID(int=1), UUID(int=2)


class UnreachableDatabase:
    """A database whose server is found to be out of reach once `is_waited_for_long_enough` is set."""

    def __init__(self) -> None:
        self.is_waited_for_long_enough = asyncio.Event()

    @asynccontextmanager
    async def read_only(self) -> AsyncIterator[None]:
        """Raise `Unavailable`."""
        await self.is_waited_for_long_enough.wait()
        raise Unavailable("The database can't be reached now.")
        yield


@pytest.mark.parametrize("waiters", [1, 3])
async def test_a_read_that_fails_after_all_have_given_up_is_no_error(waiters: int) -> None:
    faults: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, fault: faults.append(fault))
    database = UnreachableDatabase()
    reads = TradingSessionReads(ACCOUNT, cast("Database", database))
    waiting = [asyncio.create_task(reads.load(SESSION)) for _ in range(waiters)]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    (read,) = reads._tasks._tasks
    database.is_waited_for_long_enough.set()
    await asyncio.wait([read])
    del read
    gc.collect()
    assert faults == []
