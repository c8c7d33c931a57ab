from collections.abc import AsyncIterator

import pytest

from infra.postgres.pool import Pool
from tests.support.api import Api, open_api
from tests.support.order_harness import OrderHarness, open_order_harness
from tests.support.scripted_venue import ScriptedVenue


@pytest.fixture
def venue() -> ScriptedVenue:
    return ScriptedVenue()


@pytest.fixture
async def harness(pool: Pool, venue: ScriptedVenue) -> AsyncIterator[OrderHarness]:
    async with open_order_harness(pool, venue) as harness:
        yield harness


@pytest.fixture
async def api(harness: OrderHarness) -> AsyncIterator[Api]:
    async with open_api(harness) as api:
        yield api
