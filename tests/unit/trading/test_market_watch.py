"""A watched protection, stepped by trades as they come and by candles for those that weren't seen."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import cast
from uuid import UUID

import pytest

from domain.model.markets import Candle, MarketSymbol, Timeframe, Trade
from domain.model.order_side import OrderSide
from domain.model.protection import ExitLevel, PositionProtection, ProtectionRules
from domain.rules.direction import Direction
from domain.rules.protection import Exit, ExitCause
from domain.trading.keeper_context import KeeperContext
from domain.trading.market_watch import GAP_PATIENCE, MarketWatch, WatchedProtection
from infra.embedded.bus import EmbeddedBus
from tests.support.clocks import ManualClock
from tests.support.orders import BTC, a_market
from tests.support.waiting import eventually

FILLED_AT = datetime(2026, 11, 5, 12, 30, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
TRAILING = PositionProtection(
    UUID(int=8), UUID(int=2), UUID(int=4), BTC, ProtectionRules(trailing_stop=ExitLevel(percent=Decimal(5))), FILLED_AT,
    position_id=UUID(int=5), reference_price=Decimal(100), high_water=Decimal(100), watched_until=FILLED_AT,
)  # fmt: skip
STOPPED = TRAILING.changed(
    rules=ProtectionRules(ExitLevel(price=Decimal(95)), ExitLevel(price=Decimal(105))),
    high_water=None,
    stop_loss_price=Decimal(95),
    take_profit_price=Decimal(105),
)


def watch(protection: PositionProtection) -> WatchedProtection:
    return WatchedProtection(protection, a_market(), Direction.LONG)


def a_trade(price: str, seconds: float = 1) -> Trade:
    return Trade(BTC, "t", FILLED_AT + timedelta(seconds=seconds), Decimal(price), Decimal(1), OrderSide.BUY)


def a_candle(minutes: int, low: str, high: str, close: str) -> Candle:
    """Return a candle that opens so many minutes after that of the fill."""
    prices = (Decimal(close), Decimal(high), Decimal(low), Decimal(close))
    return Candle(BTC, Timeframe.M1, Timeframe.M1.open_time(FILLED_AT) + minutes * MINUTE, *prices, Decimal(1), True)


def test_trades_from_before_the_fill_dont_count() -> None:
    watched = watch(STOPPED)
    for price in ("90", "110"):
        watched.on_trade(a_trade(price, seconds=-0.001))
    assert watched.due is None
    watched.on_trade(a_trade("105", seconds=0))
    assert watched.due == Exit(ExitCause.TAKE_PROFIT)


def test_the_first_reason_stays() -> None:
    watched = watch(STOPPED)
    watched.on_trade(a_trade("94"))
    watched.on_trade(a_trade("120"))
    assert watched.due == Exit(ExitCause.STOP_LOSS)


def test_trades_of_a_minute_whose_candle_was_looked_at_dont_count_again() -> None:
    watched = watch(TRAILING)
    after = watched.on_candles([a_candle(1, "100", "120", "119")])
    assert (after.high_water, after.watched_until) == (Decimal(120), a_candle(2, "1", "1", "1").open_time)
    watched.renew(after, a_market(), Direction.LONG)
    watched.on_trade(a_trade("105", seconds=35))  # before the price rose to 120
    assert watched.due is None
    watched.on_trade(a_trade("113", seconds=95))
    assert watched.due == Exit(ExitCause.TRAILING_STOP)


def test_a_low_from_before_the_price_rose_within_the_same_minute_closes_nothing() -> None:
    watched = watch(TRAILING)
    for price in ("99", "130"):
        watched.on_trade(a_trade(price, seconds=40))
    after = watched.on_candles([a_candle(0, "98", "104", "99"), a_candle(1, "99", "130", "129")])
    assert watched.due is None
    assert after.high_water == 130
    watched.renew(after, a_market(), Direction.LONG)
    assert watched.state.high_water == 13_000


def test_a_stop_that_was_hit_while_nobody_watched_is_found_in_the_candles_again_and_again_until_it_is_acted_on() -> (
    None
):
    candles = [a_candle(0, "98", "101", "100"), a_candle(1, "94", "101", "100"), a_candle(2, "99", "130", "129")]
    first = watch(STOPPED)
    after = first.on_candles(candles)
    assert first.due == Exit(ExitCause.STOP_LOSS)
    assert after.watched_until == candles[1].open_time
    second = watch(after)
    second.on_candles(candles[1:])
    assert second.due == Exit(ExitCause.STOP_LOSS)


def test_a_take_profit_that_was_reached_while_nobody_watched_is_no_reason_any_more() -> None:
    watched = watch(STOPPED)
    watched.on_candles([a_candle(1, "99", "110", "100")])
    assert watched.due is None


def test_a_changed_tick_counts_from_the_next_trade_on() -> None:
    watched = watch(TRAILING)
    watched.on_trade(a_trade("120"))
    watched.renew(TRAILING, replace(a_market(), price_increment=Decimal("0.5")), Direction.LONG)
    watched.on_trade(a_trade("120"))
    watched.on_trade(a_trade("114"))
    assert watched.due == Exit(ExitCause.TRAILING_STOP)


async def test_a_gap_is_waited_for_only_so_long_although_another_protection_has_none() -> None:
    clock = ManualClock()
    context = cast("KeeperContext", SimpleNamespace(clock=clock, bus=EmbeddedBus()))
    market = MarketWatch(context, BTC, lambda: None)
    candles = [a_candle(minutes, "98", "101", "100") for minutes in (0, 1, 3, 4)]
    early, late = watch(STOPPED), watch(STOPPED.changed(watched_until=candles[2].open_time))
    for _ in range(3):
        clock.move(GAP_PATIENCE.total_seconds() / 3)
        assert await market._without_gap(candles, early) == candles[:2]
        assert await market._without_gap(candles, late) == candles[2:]
    clock.move(GAP_PATIENCE.total_seconds() / 2)
    assert await market._without_gap(candles, early) == candles
    assert await market._without_gap(candles, late) == candles[2:]


class BreakingFeed:
    """Has a stream of trades that breaks when the test says so."""

    def __init__(self) -> None:
        self.breaks = asyncio.Event()
        self.streams = 0

    async def trade_stream(self, _symbol: MarketSymbol) -> AsyncIterator[list[Trade]]:
        self.streams += 1
        await self.breaks.wait()
        raise RuntimeError("broken")
        yield

    @asynccontextmanager
    async def closed_candles(self, _symbol: MarketSymbol, _timeframe: Timeframe) -> AsyncIterator[None]:
        await asyncio.Event().wait()
        yield


@pytest.mark.parametrize("turns", range(4))
async def test_a_watch_that_is_to_end_while_its_stream_breaks_does_not_begin_again(turns: int) -> None:
    feed = BreakingFeed()
    context = cast("KeeperContext", SimpleNamespace(feed=feed, log_ids={}))
    watching = asyncio.create_task(MarketWatch(context, BTC, lambda: None).run())
    await eventually(lambda: feed.streams, "it follows the trades")
    feed.breaks.set()
    for _ in range(turns):
        await asyncio.sleep(0)
    watching.cancel()
    await asyncio.wait([watching], timeout=5)
    assert watching.cancelled()
