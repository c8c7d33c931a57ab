"""Candles built from trades, against a venue whose own are different, and a stream that leaves something out."""

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from domain.model.markets import Timeframe
from infra.postgres.database import PostgresDatabase
from tests.support.collecting import Collecting, collecting
from tests.support.sandbox import SandboxProcess
from tests.support.waiting import eventually


@pytest.fixture
async def feed(sandbox: SandboxProcess, database: PostgresDatabase) -> AsyncIterator[Collecting]:
    async with collecting(sandbox, database) as running:
        await running.makes_candles()
        yield running


async def test_a_differing_minute_of_the_venue_is_stored_and_counted_and_not_published(
    feed: Collecting, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "domain.market_data.candle_verification")
    built = await feed.leap(falsifyMinutes=1)
    await eventually(lambda: feed.collector.corrections[Timeframe.M1], "the correction is counted", 60)
    await eventually(lambda: not feed.collector.verifier.pending, "the check is done", 60)
    (own,) = await feed.own(Timeframe.M1, built)
    assert own == replace(built, high=own.high, volume=2 * built.volume)
    assert await feed.stored(built) == own
    assert [minute for minute in feed.minutes() if minute.open_time == built.open_time] == [built]
    assert feed.collector.corrections[Timeframe.M1] == 1
    corrected = [record.message for record in caplog.records if built.open_time.strftime("M1 %Y") in record.message]
    assert len(corrected) == 1
    assert f"volume {built.volume} to the venue's own" in corrected[0]
    assert corrected[0].endswith(f"volume {own.volume}")


async def test_a_minute_that_the_venue_leaves_out_stays_as_it_was_traded(feed: Collecting) -> None:
    built = await feed.leap(hideMinutes=1)
    assert built.volume
    await eventually(lambda: feed.collector.verifier.unconfirmed == 1, "the venue is asked often enough", 60)
    assert await feed.stored(built) == built
    assert feed.collector.corrections[Timeframe.M1] == 0


async def test_minutes_that_agree_are_confirmed_and_nothing_is_corrected(feed: Collecting) -> None:
    first = await feed.leap()
    second = await feed.leap()
    assert second.open_time == first.close_time
    await eventually(lambda: not feed.collector.verifier.pending, "both are checked", 60)
    assert feed.collector.verifier.checked >= 2
    assert not any(feed.collector.corrections.values())
    assert [await feed.stored(candle) for candle in (first, second)] == [first, second]


async def test_trades_that_a_stream_leaves_out_are_noticed_and_asked_for(feed: Collecting) -> None:
    await feed.traded()  # a minute that ended in the silence would close without what was left out
    await feed.sandbox.inject_faults(silenceMarketStreams=True)
    before = feed.collector.trade_count
    (last,) = await feed.newest_trades(1)
    async with asyncio.timeout(60):
        while int((await feed.newest_trades(1))[-1].venue_trade_id) < int(last.venue_trade_id) + 3:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await feed.sandbox.inject_faults(silenceMarketStreams=False)
    await eventually(lambda: feed.collector.gaps, "the gap is noticed", 60)
    await eventually(lambda: feed.collector.trade_count >= before + 4, "what was missed is there", 60)
    await feed.makes_candles()
    built = await feed.leap()
    assert [built] == await feed.own(Timeframe.M1, built)
    numbers = [int(trade.venue_trade_id) for trade in await feed.stored_trades()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert not any(feed.collector.corrections.values())
