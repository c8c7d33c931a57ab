import asyncio
import logging
from itertools import pairwise

import pytest

from domain.core.pagination import TimeKeysetPage
from domain.model.markets import Depth, FeedState, FeedStatus, Timeframe
from tests.support.markets import MarketNode
from tests.support.sandbox import SandboxProcess
from tests.support.venues import BTC
from tests.support.waiting import eventually


async def test_a_venue_that_restarts_leads_to_reconnecting_then_live_with_a_new_epoch_and_no_traceback(
    node: MarketNode, sandbox: SandboxProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    states: list[FeedState] = []
    epochs: list[str] = []
    trades: list[int] = []

    async def follow_depth() -> None:
        async for item in node.hub.depth_stream(BTC):
            if isinstance(item, FeedStatus) and item.state not in states[-1:]:
                states.append(item.state)
            if isinstance(item, Depth) and item.epoch not in epochs:
                epochs.append(item.epoch)

    async def follow_trades() -> None:
        async for batch in node.hub.trade_stream(BTC):
            trades.extend(int(trade.venue_trade_id) for trade in batch)

    following = [asyncio.create_task(follow_depth()), asyncio.create_task(follow_trades())]
    try:
        await eventually(lambda: FeedState.LIVE in states, "the feed is live")
        await eventually(lambda: trades, "trades come")
        await sandbox.kill()
        await eventually(lambda: states[-1] is FeedState.RECONNECTING, "the loss is published")
        before = len(trades)
        assert node.hub.latest_depth(BTC) is None
        await sandbox.start()
        await eventually(lambda: states[-1] is FeedState.LIVE, "the feed is live again")
        await eventually(lambda: len(trades) > before + 3, "trades come again")
        await eventually(lambda: node.hub.latest_depth(BTC) is not None, "the book is there again")
    finally:
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
    assert len(epochs) == 2
    assert trades == sorted(set(trades))
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]


async def test_a_cut_stream_misses_no_trade_and_no_candle(node: MarketNode, sandbox: SandboxProcess) -> None:
    trades: list[int] = []

    async def follow() -> None:
        async for batch in node.hub.trade_stream(BTC):
            trades.extend(int(trade.venue_trade_id) for trade in batch)

    following = asyncio.create_task(follow())
    try:
        await eventually(lambda: len(trades) > 3, "trades come")
        await sandbox.inject_faults(dropMarketStreams=True)
        cut = len(trades)
        await eventually(lambda: len(trades) > cut + 10, "trades come again")
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    assert sorted(trades) == list(range(min(trades), max(trades) + 1))
    async with node.database.read_only() as reading:
        minutes = await reading.market_data.candles(BTC, Timeframe.M1, TimeKeysetPage(limit=1000))
    assert all(after.open_time == before.close_time for before, after in pairwise(minutes))
