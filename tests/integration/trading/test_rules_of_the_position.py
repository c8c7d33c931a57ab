"""Rules that name the position: each trading session's own, on the candle that has just closed."""

from decimal import Decimal

from domain.model.definitions import EntryAdd
from tests.support.trading_node import NEVER, TradingNode, cents, strategy


async def test_an_exit_by_the_positions_loss_sells_and_says_why(node: TradingNode) -> None:
    exit_long = "position.profit_percent < -50 and close < position.entry_price"
    session = await node.session(await node.account(), strategy(exit_long=exit_long))
    await node.feed.close_candle()
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    await node.until_processed(session, await node.feed.close_candle())
    assert await node.summary(session) == ["ENTER_LONG", "ENTRY FILLED"]
    await node.feed.close_candle(close=cents(node.feed.price / 4))
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    _, signal = await node.signals(session)
    assert "[position.profit_percent=-7" in signal.reason
    assert "position.entry_price=" in signal.reason


async def test_sessions_that_share_an_evaluation_have_positions_of_their_own(node: TradingNode) -> None:
    price, account = node.feed.price, await node.account()
    definition = strategy(enter_long=f"close > {price / 2}", exit_long="position.profit_percent < -40")
    first = await node.session(account, definition)
    await node.feed.close_candle()
    await node.until_position(first, lambda now: now.quantity > 0, "it buys")
    second = await node.session(account, definition, strategy_version_id=first.strategy_version_id)
    candle = await node.feed.close_candle(close=cents(price / 3))
    await node.until_position(first, lambda now: now.closed_at, "it sells")
    await node.until_processed(second, candle)
    assert await node.summary(second) == []


async def test_a_further_entry_may_depend_on_the_position(node: TradingNode) -> None:
    adds = (EntryAdd(rule="position.profit_percent < -40 and position.bars >= 0"),)
    session = await node.session(await node.account(), strategy(exit_long=NEVER, adds=adds))
    await node.feed.close_candle()
    first = await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    await node.until_processed(session, await node.feed.close_candle())
    await node.feed.close_candle(close=cents(node.feed.price / 2))
    await node.until_position(session, lambda now: now.quantity > first.quantity * Decimal("1.5"), "it adds")
    assert [signal.add_number for signal in await node.signals(session)] == [None, 1]
