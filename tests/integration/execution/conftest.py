from collections.abc import AsyncIterator

import pytest

from infra.postgres.pool import Pool
from tests.support.order_harness import OrderHarness, open_floor
from tests.support.scripted_venue import ScriptedVenue


@pytest.fixture
def venue() -> ScriptedVenue:
    return ScriptedVenue()


@pytest.fixture
async def floor(pool: Pool, venue: ScriptedVenue) -> AsyncIterator[OrderHarness]:
    async with open_floor(pool, venue) as floor:
        yield floor
