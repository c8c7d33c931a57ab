"""Clients' reads and transactions leave connections, and locks, for the engine's own work."""

import asyncio

import pytest

from domain.core.errors import Unavailable
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.clocks import ManualClock


@pytest.mark.parametrize("kind", ["transaction", "read_only", "snapshot"])
async def test_what_clients_may_not_start_yet_waits_and_harms_nobody_else(pool: Pool, kind: str) -> None:
    async with pool.acquire(), pool.acquire():
        pass  # Both connections are open from now on: only a place may be waited for.
    whole = PostgresDatabase(pool, EmbeddedBus(), ManualClock(), acquire_timeout_seconds=0.2)
    limited = whole.with_limits(reads=1, writes=1)
    release = asyncio.Event()

    async def hold() -> None:
        async with getattr(limited, kind)() as opened:
            await opened.leases.get_holder("account", "a1")
            await release.wait()

    holding = asyncio.create_task(hold())
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="Too much is"):
        async with getattr(limited, kind)():
            pass
    async with getattr(whole, kind)() as opened:
        await opened.leases.get_holder("account", "a1")
    release.set()
    await holding
    async with getattr(limited, kind)() as opened:
        await opened.leases.get_holder("account", "a1")
    await whole.close()
