"""Further entries into a session's position and partial targets: each once, whatever restarts, pauses or closes."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.core.polling import read_until
from domain.model.definitions import EntryAdd, ExitDistance, ExitTarget, OrderStyle, Sizing
from domain.model.orders import Order, OrderStatus, OrderType
from domain.model.trading import Signal, TradingSession
from domain.trading.halts import HaltRequest
from tests.integration.trading.test_submitted_signals import ENTER, EXIT, submit
from tests.support.trading import BTC
from tests.support.trading_node import NEVER, TradingNode, cents, strategy
from tests.support.waiting import PATIENCE_SECONDS, eventually

BELOW_2 = EntryAdd(below=ExitDistance(percent=Decimal(2)))
PASSIVE = OrderStyle(OrderType.LIMIT, offset_bps=Decimal(200))
QUOTE_600 = Sizing(quote_amount=Decimal(600))


async def entered(node: TradingNode, **changes: object) -> TradingSession:
    """Return a session that has bought because a user said so."""
    session = await node.session(await node.account(), strategy(enter_long=NEVER, sizing=QUOTE_600, **changes))
    await submit(node, session, ENTER)
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    return session


async def bought(node: TradingNode, session: TradingSession, count: int) -> list[Order]:
    """Return the session's filled entries once there are so many."""

    async def filled() -> list[Order]:
        orders = await node.orders_of(session)
        return [order for order in orders if order.role.value == "ENTRY" and order.status is OrderStatus.FILLED]

    return await read_until(filled, lambda orders: len(orders) >= count, node.clock, PATIENCE_SECONDS)


async def until_signals(node: TradingNode, session: TradingSession, count: int) -> list[Signal]:
    """Return the session's signals once there are so many, letting the same trade pass until then."""
    low = cents(node.feed.price * Decimal("0.97"))

    async def traded() -> list[Signal]:
        await node.feed.trade(low)
        return await node.signals(session)

    return await read_until(traded, lambda signals: len(signals) >= count, node.clock, PATIENCE_SECONDS)


async def test_a_price_below_the_last_entry_buys_once_and_moves_the_protection(node: TradingNode) -> None:
    stop = ExitDistance(percent=Decimal(50))
    session = await entered(node, adds=(replace(BELOW_2, size_factor=Decimal(2)),), stop_loss=stop)
    before = await node.position(session)
    assert abs(before.quantity * node.feed.price - 200) < 5  # a third of the ladder
    signals = await until_signals(node, session, 2)
    position = await node.until_position(session, lambda now: now.quantity > 2 * before.quantity, "it adds")
    assert (signals[1].add_number, signals[1].position_id, signals[0].add_number) == (1, position.id, None)
    assert signals[1].reason.startswith("add 1: the price is ")
    for _ in range(20):
        await node.feed.trade(cents(node.feed.price * Decimal("0.6")))
    await submit(node, session, EXIT)
    closed = await node.until_position(session, lambda now: now.closed_at, "it sells all of it")
    assert closed.id == position.id
    assert await node.summary(session) == [
        *("ENTER_LONG", "ENTER_LONG", "EXIT_LONG"),
        *("ENTRY FILLED", "ENTRY FILLED", "EXIT FILLED"),
    ]
    async with node.database.read_only() as reading:
        protections = await reading.protection.list_of_positions([position.id])
    assert protections[0].ended_at is not None
    newest = protections[-1]
    assert newest.reference_price == position.average_price
    assert newest.stop_loss_price == cents(newest.stop_loss_price)
    assert abs(newest.stop_loss_price - position.average_price / 2) < 1


async def test_an_add_that_was_ordered_before_a_crash_is_not_ordered_again(node: TradingNode) -> None:
    session = await entered(node, adds=(replace(BELOW_2, count=2),), order=OrderStyle())
    await eventually(lambda: node.hub.followed.get(BTC).trade_queues, "it waits for a lower price")
    await node.feed.trade(cents(node.feed.price * Decimal("0.97")))  # once: another one may lead to the second add
    await read_until(lambda: node.signals(session), lambda found: len(found) > 1, node.clock, PATIENCE_SECONDS)
    await node.trader.close()  # between the add and its fill, or after it
    await node.restart()
    await bought(node, session, 2)
    numbers = [signal.add_number for signal in await node.signals(session)]
    assert numbers == [None, 1]
    orders = await node.orders_of(session)
    assert len({order.client_order_id for order in orders}) == len(orders) == 2


async def test_a_price_that_falls_while_nobody_trades_buys_at_the_next_trade(node: TradingNode) -> None:
    session = await entered(node, adds=(BELOW_2,))
    await node.trader.close()
    await node.feed.trade(cents(node.feed.price * Decimal("0.97")))
    await node.restart()
    await until_signals(node, session, 2)
    await bought(node, session, 2)


async def test_a_rule_and_a_repeated_entry_signal_add_on_candles(node: TradingNode) -> None:
    price = node.feed.price
    adds = (EntryAdd(rule=f"close < {price / 2}"), EntryAdd(on_entry_signal=True))
    session = await node.session(await node.account(), strategy(enter_long=f"close > {price / 4}", adds=adds))
    await node.feed.close_candle()
    await bought(node, session, 1)
    await node.feed.close_candle()
    await bought(node, session, 2)
    await node.until_processed(session, await node.feed.close_candle())  # its count is used up
    await node.feed.close_candle(close=cents(price / 3))
    await bought(node, session, 3)
    await node.until_processed(session, await node.feed.close_candle(close=cents(price / 3)))
    signals = await node.signals(session)
    assert [signal.add_number for signal in signals] == [None, 2, 1]
    assert signals[2].reason.startswith(f"add 1: close < {price / 2}")
    assert len({signal.position_id for signal in signals[1:]}) == 1


async def test_a_submitted_entry_adds_where_the_definition_says_so(node: TradingNode) -> None:
    session = await entered(node, adds=(EntryAdd(on_entry_signal=True),))
    added = await submit(node, session, ENTER)
    assert (added.missed, added.add_number) == (False, 1)
    await bought(node, session, 2)
    refused = await submit(node, session, ENTER)
    assert refused.missed
    assert refused.reason == "my model says so — missed: the trading session has a position or an order already"


async def test_exit_wins_over_an_add_on_the_same_candle(node: TradingNode) -> None:
    price = node.feed.price
    adds = (EntryAdd(rule=f"close < {price / 2}"),)
    session = await node.session(await node.account(), strategy(exit_long=f"close < {price / 2}", adds=adds))
    await node.feed.close_candle()
    await bought(node, session, 1)
    await node.feed.close_candle(close=cents(price / 4))
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    assert await node.summary(session) == ["ENTER_LONG", "EXIT_LONG", "ENTRY FILLED", "EXIT FILLED"]


@pytest.mark.parametrize("stopped_by", ["pause", "halt"])
async def test_nothing_is_added_while_a_session_is_paused_or_halted(node: TradingNode, stopped_by: str) -> None:
    session = await entered(node, adds=(BELOW_2,))
    if stopped_by == "pause":
        await node.trading_sessions.pause(node.user.id, session.id)
    else:
        await node.halts.set_halt_of_account(node.user.id, session.account_id, HaltRequest(reason="lunch"))
    for _ in range(20):
        await node.feed.trade(cents(node.feed.price * Decimal("0.97")))
    await node.until_processed(session, await node.feed.close_candle())
    assert [signal.add_number for signal in await node.signals(session)] == [None]
    if stopped_by == "pause":
        await node.trading_sessions.resume(node.user.id, session.id)
    else:
        await node.halts.set_halt_of_account(node.user.id, session.account_id, None)
    await until_signals(node, session, 2)  # and it was not used up meanwhile


async def test_an_add_that_rests_is_cancelled_when_the_position_closes(node: TradingNode) -> None:
    session = await node.session(
        await node.account(), strategy(enter_long=NEVER, adds=(BELOW_2,), order=PASSIVE, sizing=QUOTE_600)
    )
    await submit(node, session, ENTER)
    resting = await node.until_order(session, lambda order: order.status.value == "OPEN")
    assert resting.role.value == "ENTRY"
    await node.trading_sessions.stop(node.user.id, session.id, close_position=True)
    await node.until(session, lambda now: now.status.value == "STOPPED", "it stops")
    assert await node.summary(session) == ["ENTER_LONG", "ENTRY CANCELED"]


async def test_an_add_that_can_t_be_sized_is_reported_and_used_up(node: TradingNode) -> None:
    session = await entered(node, adds=(replace(BELOW_2, size_factor=Decimal("0.00001")),))
    signals = await until_signals(node, session, 2)
    assert "no order" in signals[1].reason
    assert signals[1].order_id is None
    for _ in range(10):
        await node.feed.trade(cents(node.feed.price * Decimal("0.97")))
    await node.until_processed(session, await node.feed.close_candle())
    assert len(await node.signals(session)) == 2


async def test_targets_sell_their_shares_of_all_that_was_bought(node: TradingNode) -> None:
    targets = tuple(ExitTarget(ExitDistance(percent=Decimal(percent)), Decimal(50)) for percent in (5, 10))
    session = await entered(node, targets=targets)
    await node.until_protected(session)
    whole = (await node.position(session)).quantity
    await node.feed.trade(cents(node.feed.price * Decimal("1.06")))
    half = await node.until_position(session, lambda now: now.quantity < whole, "it sells half")
    assert abs(half.quantity * 2 - whole) <= Decimal("0.00002")
    await node.until_summarised(session, "TAKE_PROFIT FILLED")
    while (await node.position(session)).closed_at is None:
        await node.feed.trade(cents(node.feed.price * Decimal("1.11")))
        await node.until(session, lambda now: now, "it is there")
    assert await node.summary(session) == ["ENTER_LONG", "ENTRY FILLED", "TAKE_PROFIT FILLED", "TAKE_PROFIT FILLED"]


async def test_a_target_whose_part_is_too_little_for_an_order_sells_nothing_and_is_alerted_of(
    node: TradingNode,
) -> None:
    targets = (
        ExitTarget(ExitDistance(percent=Decimal(5)), Decimal("0.1")),
        ExitTarget(ExitDistance(percent=Decimal(10)), Decimal(50)),
    )
    session = await entered(node, targets=targets)
    await node.until_protected(session)
    whole = (await node.position(session)).quantity
    await node.feed.trade(cents(node.feed.price * Decimal("1.06")))
    (alert,) = await read_until(node.alerts, lambda alerts: len(alerts) == 1, node.clock, PATIENCE_SECONDS)
    assert alert.startswith("The target 1 was reached. Its part of a position on sandbox:BTC/USDT")
    assert "too little for an order" in alert
    assert (await node.position(session)).quantity == whole
    while (await node.position(session)).quantity == whole:
        await node.feed.trade(cents(node.feed.price * Decimal("1.11")))
        await node.until(session, lambda now: now, "it is there")
    await node.until_summarised(session, "TAKE_PROFIT FILLED")
    assert len(await node.alerts()) == 1


async def test_a_target_that_was_reached_isnt_reached_again_after_an_add_or_a_restart(node: TradingNode) -> None:
    targets = (ExitTarget(ExitDistance(percent=Decimal(5)), Decimal(50)),)
    session = await entered(node, targets=targets, adds=(EntryAdd(on_entry_signal=True),))
    await node.until_protected(session)
    await node.feed.trade(cents(node.feed.price * Decimal("1.06")))
    await node.until_summarised(session, "TAKE_PROFIT FILLED")
    assert not (await submit(node, session, ENTER)).missed
    await bought(node, session, 2)
    await node.until_protected(session)
    await node.trader.close()
    await node.restart()
    protection = await node.until_protected(session)
    assert protection.targets_done == (0,)
    for _ in range(10):
        await node.feed.trade(cents(node.feed.price * Decimal("1.06")))
    await node.until_processed(session, await node.feed.close_candle())
    assert [order.role.value for order in await node.orders_of(session)] == ["ENTRY", "TAKE_PROFIT", "ENTRY"]


async def test_a_price_that_reaches_the_stop_loss_as_well_leads_to_no_further_entry(node: TradingNode) -> None:
    session = await entered(node, adds=(BELOW_2,), stop_loss=ExitDistance(percent=Decimal(5)))
    low = cents(node.feed.price * Decimal("0.9"))
    await node.feed.trade(low)
    await node.until_position(session, lambda now: now.closed_at is not None, "the stop-loss closes it")
    assert [signal.add_number for signal in await node.signals(session)] == [None]
    assert len(await bought(node, session, 1)) == 1


async def test_a_submitted_entry_at_a_price_below_the_stop_loss_is_missed(
    node: TradingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await entered(node, adds=(EntryAdd(on_entry_signal=True),), stop_loss=ExitDistance(percent=Decimal(5)))
    await node.until_protected(session)
    low = cents(node.feed.price * Decimal("0.9"))
    monkeypatch.setattr(node.hub, "price_of", lambda _: low)  # known here before the keeper acts on it
    signal = await submit(node, session, ENTER)
    assert (signal.missed, signal.add_number) == (True, None)
