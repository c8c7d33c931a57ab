"""A node that collects from a real sandbox exchange: the test's own if it asks for `sandbox`, else one for all."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.market_data.timings import FeedTimings
from infra.postgres.database import PostgresDatabase
from tests.support.markets import MarketNode, running_node
from tests.support.sandbox import SandboxProcess, running_sandbox


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[SandboxProcess]:
    async with running_sandbox(tmp_path / "sandbox", seed=7) as process:
        yield process


@pytest.fixture
def exchange(request: pytest.FixtureRequest) -> SandboxProcess:
    return request.getfixturevalue("sandbox" if "sandbox" in request.fixturenames else "shared_sandbox")


@pytest.fixture
def timings() -> FeedTimings:
    return FeedTimings(stale_after=30, snapshot_every=0.5)


@pytest.fixture
async def node(exchange: SandboxProcess, database: PostgresDatabase, timings: FeedTimings) -> AsyncIterator[MarketNode]:
    async with running_node(exchange.url, database, timings) as node:
        yield node
