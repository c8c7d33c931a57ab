"""Rules that name other markets and timeframes, whose candles close when and as they will."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.core.errors import ErrorCode, InputErrors
from domain.model.markets import Candle, Timeframe
from tests.support.trading import BTC, ETH
from tests.support.trading_node import TradingNode, cents, strategy
from tests.support.waiting import PATIENCE_SECONDS


def three_minutes(node: TradingNode, before: int, close: Decimal) -> Candle:
    """Return the candle of three minutes that closed so many before the last one that has."""
    end = Timeframe.M3.open_time(node.feed.venue_time) - before * Timeframe.M3.duration
    return replace(node.feed.candle(end - Timeframe.M3.duration, close=close), timeframe=Timeframe.M3)


async def store(node: TradingNode, *candles: Candle) -> None:
    async with node.database.transaction() as transaction:
        await transaction.market_data.ensure_candle_partitions(candles[-1].open_time, candles[0].close_time)
        await transaction.market_data.upsert_candles(candles)


async def test_a_rule_sees_the_closed_candle_of_another_market(node: TradingNode) -> None:
    price = await node.feed.add_market(ETH)
    rule = f'market("ETH/USDT").close > {price * 2} and close > 0'
    session = await node.session(await node.account(), strategy(enter_long=rule))
    first = await node.feed.close_candles({BTC: node.feed.price, ETH: price})
    await node.until_processed(session, first[0])
    assert await node.summary(session) == []
    await node.feed.close_candles({BTC: node.feed.price, ETH: cents(price * 3)})
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    (signal,) = await node.signals(session)
    assert 'market("ETH/USDT").close=' in signal.reason


async def test_a_decision_waits_for_the_longer_candle_that_closes_with_its_own(
    node: TradingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.trading.other_candles.WAIT_SECONDS", PATIENCE_SECONDS)
    price = node.feed.price
    await store(node, *(three_minutes(node, before, price) for before in range(6)))
    rule = f'crosses_above(tf("3m").close, {price * 2})'
    session = await node.session(await node.account(), strategy(enter_long=rule))
    while True:
        candle = await node.feed.close_candle()
        if Timeframe.M3.open_time(candle.close_time) == candle.close_time:
            break
        await node.until_processed(session, candle)
    assert await node.summary(session) == []
    longer = three_minutes(node, 0, cents(price * 3))
    await store(node, longer)
    await node.feed.publish(longer)
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    (signal,) = await node.signals(session)
    assert signal.candle_at == candle.open_time


async def test_a_longer_candle_that_never_comes_leaves_the_rule_false(
    node: TradingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.trading.other_candles.WAIT_SECONDS", 0.1)
    price = node.feed.price
    await store(node, *(three_minutes(node, before, cents(price * 3)) for before in range(6)))
    rule = f'tf("3m").close > {price * 2} and shift(close) > {price / 2} > close'
    session = await node.session(await node.account(), strategy(enter_long=rule))
    while Timeframe.M3.open_time(node.feed.venue_time + timedelta(minutes=1)) <= node.feed.venue_time:
        await node.until_processed(session, await node.feed.close_candle())
    await node.until_processed(session, await node.feed.close_candle(close=cents(price / 4)))
    assert await node.summary(session) == []


async def test_a_market_that_the_venue_doesnt_list_is_refused_at_the_start(node: TradingNode) -> None:
    with pytest.raises(InputErrors) as caught:
        await node.start_session(await node.account(), strategy(enter_long='market("NOPE/USDT").close > 1'))
    (error,) = caught.value.errors
    assert (error.code, error.path) == (ErrorCode.NOT_FOUND, ("input", "strategyVersion"))
    assert "sandbox:NOPE/USDT" in error.message


async def test_a_timeframe_shorter_than_the_sessions_is_refused_at_the_start(node: TradingNode) -> None:
    definition = strategy(enter_long='tf("1m").close > 1')
    with pytest.raises(InputErrors) as caught:
        await node.start_session(await node.account(), definition, timeframe=Timeframe.M5)
    (error,) = caught.value.errors
    assert (error.code, error.path) == (ErrorCode.INVALID, ("input", "timeframe"))
