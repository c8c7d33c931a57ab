"""Signals that users submit: acted on once as those of candles, whatever the session does and however it ends."""

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from domain.model.definitions import ExitDistance, OrderStyle
from domain.model.orders import OrderStatus, OrderType
from domain.model.trading import Signal, SignalAction, TradingSession
from domain.trading.halts import HaltRequest
from domain.trading.signal_requests import SignalRequest
from tests.support.plans import set_limits
from tests.support.trading import new_id
from tests.support.trading_node import NEVER, TradingNode, strategy

ENTER, EXIT = SignalAction.ENTER_LONG, SignalAction.EXIT_LONG
PASSIVE = OrderStyle(OrderType.LIMIT, offset_bps=Decimal(200))


async def submit(node: TradingNode, session: TradingSession, action: SignalAction, key: str | None = None) -> Signal:
    request = SignalRequest(session.id, action, "my model says so")
    return await node.submitted.submit(node.user.id, request, key or str(new_id()))


async def quiet_session(node: TradingNode, **changes: object) -> TradingSession:
    """Return a session whose own rules never become true."""
    return await node.session(await node.account(), strategy(enter_long=NEVER, **changes))


async def waiting(
    node: TradingNode, session: TradingSession, action: SignalAction, age: timedelta = timedelta()
) -> UUID:
    """Store a signal as a web node does that dies before anybody is notified."""
    at, price = node.clock.now() - age, node.feed.price
    signal = Signal(
        new_id(), node.user.id, session.id, at, action, price, "by hand", waiting=True, market=session.market
    )
    async with node.database.transaction() as transaction:
        assert await transaction.trading_sessions.add_signal(signal)
    return signal.id


async def signal_events(node: TradingNode) -> list[str | None]:
    async with node.database.read_only() as reading:
        events = await reading.events.read_after(node.user.id, 0, None, 1000)
    return [event.message for event in events if event.kind.value == "SIGNAL"]


async def test_a_submitted_entry_buys_with_protection_and_a_submitted_exit_sells(node: TradingNode) -> None:
    price = node.feed.price
    await node.feed.fill_history(400, high=price + 500, low=price - 500)
    session = await quiet_session(node, stop_loss=ExitDistance(atr_multiple=Decimal(2)))
    entered = await submit(node, session, ENTER)
    assert (entered.waiting, entered.missed, entered.candle_at) == (False, False, None)
    assert entered.reason == "my model says so"
    position = await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    assert abs(position.quantity * node.feed.price - 500) < 5
    level = (await node.until_protected(session)).rules.stop_loss
    assert level is not None
    assert level.absolute is not None
    assert abs(level.absolute - 2000) < 1
    left = await submit(node, session, EXIT)
    assert (left.waiting, left.missed) == (False, False)
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    assert await node.summary(session) == ["ENTER_LONG", "EXIT_LONG", "ENTRY FILLED", "EXIT FILLED"]
    entry, exit_ = await node.orders_of(session)
    assert [signal.order_id for signal in await node.signals(session)] == [entry.id, exit_.id]
    assert await signal_events(node) == ["ENTER_LONG", "EXIT_LONG"]


async def test_a_repeated_entry_is_acted_on_once(node: TradingNode) -> None:
    session = await quiet_session(node)
    first = await submit(node, session, ENTER, "k")
    assert (await submit(node, session, ENTER, "k")).id == first.id
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    second = await submit(node, session, ENTER)
    assert second.missed
    assert second.reason == "my model says so — missed: the trading session has a position or an order already"
    assert await node.summary(session) == ["ENTER_LONG", "ENTER_LONG missed", "ENTRY FILLED"]


async def test_a_paused_session_misses_an_entry_and_acts_on_an_exit(node: TradingNode) -> None:
    session = await quiet_session(node)
    await submit(node, session, ENTER)
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    await node.trading_sessions.pause(node.user.id, session.id)
    missed = await submit(node, session, ENTER)
    assert (missed.missed, missed.reason) == (True, "my model says so — missed: the trading session is PAUSED")
    await submit(node, session, EXIT)
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    nothing = await submit(node, session, EXIT)
    assert nothing.missed
    assert nothing.reason.endswith("the trading session has no position and no entry to close")


async def test_a_submitted_exit_cancels_an_entry_that_rests(node: TradingNode) -> None:
    session = await quiet_session(node, order=PASSIVE)
    await submit(node, session, ENTER)
    await node.until_summarised(session, "ENTRY OPEN")
    assert not (await submit(node, session, EXIT)).missed
    await node.until_summarised(session, "ENTRY CANCELED")


async def test_a_halt_denies_a_submitted_entry_as_that_of_a_candle(node: TradingNode) -> None:
    session = await quiet_session(node)
    await node.halts.set_halt_of_trading_session(node.user.id, session.id, HaltRequest())
    signal = await submit(node, session, ENTER)
    assert not signal.missed
    await node.until_order(session, lambda order: order.status is OrderStatus.DENIED)
    assert await node.summary(session) == ["ENTER_LONG", "ENTRY DENIED TRADING_HALTED"]


async def test_an_entry_beyond_the_plan_is_denied_and_the_next_one_within_it_trades(node: TradingNode) -> None:
    session = await quiet_session(node)
    await set_limits(node.pool, max_active_orders=0)
    assert not (await submit(node, session, ENTER)).missed
    await node.until_summarised(session, "ENTRY DENIED PLAN_LIMIT")
    await set_limits(node.pool, max_active_orders=1_000)
    await submit(node, session, ENTER)
    await node.until_summarised(session, "ENTRY FILLED")


async def test_what_waited_while_no_node_traded_is_acted_on_by_the_next_one_once(node: TradingNode) -> None:
    session = await quiet_session(node)
    await submit(node, session, ENTER)
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    await node.trader.close()
    await waiting(node, session, EXIT, timedelta(hours=1))
    await node.restart()
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    await waiting(node, session, ENTER, timedelta(seconds=11))  # of whom no node is woken
    await node.until_summarised(session, "ENTER_LONG missed")
    assert (await node.signals(session))[
        -1
    ].reason == "by hand — missed: the trading session could not act on it within 10 s"
    summary = ["ENTER_LONG", "EXIT_LONG", "ENTER_LONG missed", "ENTRY FILLED", "EXIT FILLED"]
    assert await node.summary(session) == summary


async def test_an_entry_that_an_exit_follows_before_anybody_acts_buys_nothing(node: TradingNode) -> None:
    session = await quiet_session(node)
    await node.trader.close()
    await waiting(node, session, ENTER)
    await waiting(node, session, EXIT)
    await node.restart()
    await node.until_summarised(session, "EXIT_LONG missed")
    assert await node.summary(session) == ["ENTER_LONG missed", "EXIT_LONG missed"]


@pytest.mark.parametrize("fate", ["stops", "fails"])
async def test_an_exit_that_waits_when_its_session_ends_still_closes(
    node: TradingNode, fate: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await quiet_session(node)
    await submit(node, session, ENTER)
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    await node.trader.close()
    await waiting(node, session, EXIT)
    await waiting(node, session, ENTER)
    if fate == "stops":
        await node.trading_sessions.stop(node.user.id, session.id, close_position=False)
    else:
        monkeypatch.setattr("domain.trading.session_supervisor.TradingSessionRunner", _broken)
    await node.restart()
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    await node.until(session, lambda now: now.status.is_final, "it ends")
    assert (await node.summary(session))[:3] == ["ENTER_LONG", "EXIT_LONG", "ENTER_LONG missed"]
    assert not [signal for signal in await node.signals(session) if signal.waiting]


def _broken(_context: object) -> None:
    raise RuntimeError("a fault of the engine")
