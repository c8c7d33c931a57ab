"""A node that collects from a real sandbox exchange into a real database."""

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


@pytest.fixture(autouse=True)
def _leases_that_outlast_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no feed change its node, and start again, because its lease could not be renewed within seconds."""
    monkeypatch.setattr("domain.events.leases.LEASE_SECONDS", 120.0)


@pytest.fixture
def timings() -> FeedTimings:
    return FeedTimings(stale_after=30, snapshot_every=0.5)


@pytest.fixture
async def node(sandbox: SandboxProcess, database: PostgresDatabase, timings: FeedTimings) -> AsyncIterator[MarketNode]:
    async with running_node(sandbox.url, database, timings) as node:
        yield node
