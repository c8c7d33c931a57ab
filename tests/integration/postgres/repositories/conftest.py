"""A connection to a fresh database, and somebody who trades in it."""

from collections.abc import AsyncIterator

import pytest

from infra.postgres.connection import Connection
from infra.postgres.pool import Pool
from infra.postgres.repositories.orders import PostgresOrders
from tests.support.trading import World, stored_world


@pytest.fixture
async def connection(pool: Pool) -> AsyncIterator[Connection]:
    async with pool.acquire() as driver:
        yield Connection(driver)


@pytest.fixture
async def world(connection: Connection) -> World:
    return await stored_world(connection)


@pytest.fixture
async def stranger(connection: Connection) -> World:
    """Another user, with all the same things."""
    return await stored_world(connection)


@pytest.fixture
def orders(connection: Connection) -> PostgresOrders:
    return PostgresOrders(connection)
