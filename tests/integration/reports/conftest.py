from collections.abc import AsyncIterator

import pytest

from domain.reports.service import ReportService
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.fill_ledgers import MARKETS
from tests.support.scheduling_reports import ReportScheduling, open_report_scheduling
from tests.support.trading import World, stored_world


@pytest.fixture
async def world(pool: Pool) -> World:
    async with pool.acquire() as driver:
        return await stored_world(Connection(driver))


@pytest.fixture
def service(database: PostgresDatabase) -> ReportService:
    return ReportService(database, MARKETS.get, EmbeddedBus(), SystemClock(), TimeOrderedIds())


@pytest.fixture
async def scheduling(database: PostgresDatabase) -> AsyncIterator[ReportScheduling]:
    async with open_report_scheduling(database) as opened:
        yield opened
