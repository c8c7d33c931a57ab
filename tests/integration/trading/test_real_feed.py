"""A session on a feed that is collected for real: its history is fetched, and its orders follow real candles."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from domain.core.pagination import TimeKeysetPage
from domain.model.markets import Timeframe
from infra.postgres.pool import Pool
from tests.integration.trading.conftest import SandboxAddress
from tests.support.trading import BTC
from tests.support.trading_node import TradingNode, collecting_node, strategy


@pytest.fixture
async def real(pool: Pool, shared_sandbox: SandboxAddress) -> AsyncIterator[TradingNode]:
    async with collecting_node(pool, shared_sandbox.url, shared_sandbox.token) as node:
        yield node


async def test_history_that_a_strategy_needs_is_fetched_at_its_start(real: TradingNode) -> None:
    session = await real.start_session(await real.account(), strategy(enter_long="close > sma(close, 2500)"))
    running = await real.until(session, lambda now: now.status.value == "RUNNING", "it runs")
    assert running.last_candle_at is not None
    assert running.start_equity == 100_000
    async with real.database.read_only() as reading:
        candles = await reading.market_data.candles(BTC, Timeframe.M1, TimeKeysetPage(limit=5_000, backwards=True))
    assert len(candles) >= 2_500
    times = [candle.open_time for candle in candles]
    assert times == [times[0] + index * timedelta(minutes=1) for index in range(len(times))]
