"""A sandbox exchange and the venues that reach it: the test's own if it asks for `sandbox`, else one for all."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import pytest

from infra.clock import SystemClock
from infra.venues.config import VenueSettings
from infra.venues.registry import Venues
from tests.support.sandbox import SandboxProcess, running_sandbox
from tests.support.venues import Trader, open_trader


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[SandboxProcess]:
    async with running_sandbox(tmp_path / "sandbox", seed=7, expect_errors=True) as process:
        yield process


@pytest.fixture
def exchange(request: pytest.FixtureRequest) -> SandboxProcess:
    return request.getfixturevalue("sandbox" if "sandbox" in request.fixturenames else "shared_sandbox")


@pytest.fixture
async def venues(exchange: SandboxProcess) -> AsyncIterator[Venues]:
    settings = VenueSettings("sandbox", "binance", exchange.url, live=False)
    venues = Venues([settings], SystemClock(), {"sandbox": exchange.admin_token})
    yield venues
    await venues.close()


@pytest.fixture
async def trader(venues: Venues) -> AsyncIterator[Trader]:
    trader = await open_trader(venues, f"ann-{uuid4()}", {"USDT": Decimal(100_000), "BTC": Decimal(2)})
    yield trader
    await trader.venue.close()
