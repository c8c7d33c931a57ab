"""A sandbox exchange and the venues that reach it."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

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
async def venues(sandbox: SandboxProcess) -> AsyncIterator[Venues]:
    venues = Venues(
        [VenueSettings("sandbox", "binance", sandbox.url, live=False)], SystemClock(), {"sandbox": sandbox.admin_token}
    )
    yield venues
    await venues.close()


@pytest.fixture
async def trader(venues: Venues) -> AsyncIterator[Trader]:
    trader = await open_trader(venues, "ann", {"USDT": Decimal(100_000), "BTC": Decimal(2)})
    yield trader
    await trader.venue.close()
