import pytest

from infra.embedded.bus import EmbeddedBus
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool
from tests.support.trading import World, stored_world


@pytest.fixture
async def world(pool: Pool) -> World:
    async with pool.acquire() as driver:
        return await stored_world(Connection(driver))


@pytest.fixture
def bus() -> EmbeddedBus:
    return EmbeddedBus()
