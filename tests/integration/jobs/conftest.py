import pytest

from domain.jobs.queue import JobService
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.trading import World, stored_world


@pytest.fixture
async def world(pool: Pool) -> World:
    async with pool.acquire() as driver:
        return await stored_world(Connection(driver))


@pytest.fixture
def bus() -> EmbeddedBus:
    return EmbeddedBus()


@pytest.fixture
def service(database: PostgresDatabase, bus: EmbeddedBus) -> JobService:
    return JobService(database, bus, SystemClock(), TimeOrderedIds())
