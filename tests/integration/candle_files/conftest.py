"""Bulk history on a real database."""

from collections.abc import AsyncIterator

import pytest

from infra.postgres.connection import DriverConnection
from infra.postgres.pool import Pool


@pytest.fixture
async def driver(pool: Pool) -> AsyncIterator[DriverConnection]:
    async with pool.acquire() as connection:
        yield connection
