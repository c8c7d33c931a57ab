"""Trading sessions from a closed candle to a position, and through all that may come between."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import pytest

from domain.core.money import round_up
from domain.execution.order_timings import OrderTimings
from domain.model.definitions import ExitDistance, OrderStyle, Sizing
from domain.model.markets import Timeframe
from domain.model.order_side import OrderSide
from domain.model.orders import OrderStatus, OrderType
from domain.model.trading import RiskLimits
from domain.rules.order_request import OrderRequest
from domain.trading.dependencies import TradingTimings
from domain.trading.halts import HaltRequest
from tests.support.trading import BTC
from tests.support.trading_node import ALWAYS, MINUTE, TradingNode, cents, strategy
from tests.support.waiting import PATIENCE_SECONDS

PASSIVE = OrderStyle(OrderType.LIMIT, offset_bps=Decimal(200))


async def test_an_enter_signal_buys_and_an_exit_signal_sells(node: TradingNode) -> None:
    price = node.feed.price
    session = await node.session(await node.account(), strategy(exit_long=f"close < {price / 2}"))
    await node.feed.close_candle()
    position = await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    assert abs(position.quantity * price - 500) < 5
    await node.feed.close_candle(close=price / 4)
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    assert await node.summary(session) == ["ENTER_LONG", "EXIT_LONG", "ENTRY FILLED", "EXIT FILLED"]
    entry, exit_ = await node.orders_of(session)
    assert exit_.parent_id == entry.id
    assert [signal.order_id for signal in await node.signals(session)] == [entry.id, exit_.id]


async def test_a_session_begins_with_the_candle_that_closes_next(node: TradingNode) -> None:
    session = await node.session(await node.account(), strategy())
    assert session.status.value == "RUNNING"
    assert session.start_equity == 100_000
    assert await node.summary(session) == []


async def test_exit_wins_over_entry_on_the_same_candle(node: TradingNode) -> None:
    session = await node.session(await node.account(), strategy(exit_long=ALWAYS))
    await node.until_processed(session, await node.feed.close_candle())
    assert await node.summary(session) == []


async def test_a_session_that_holds_a_position_doesnt_enter_again(node: TradingNode) -> None:
    session = await node.session(await node.account(), strategy())
    await node.feed.close_candle()
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    await node.until_processed(session, await node.feed.close_candle())
    assert await node.summary(session) == ["ENTER_LONG", "ENTRY FILLED"]


async def test_a_session_sells_what_it_bought_and_not_what_was_bought_by_hand(node: TradingNode) -> None:
    account, price = await node.account(), node.feed.price
    session = await node.session(account, strategy(exit_long=f"close < {price / 2}"))
    by_hand = OrderRequest(account.id, BTC, OrderSide.BUY, OrderType.MARKET, Decimal("0.5"))
    bought = await node.orders.place(node.user.id, by_hand, "by hand")
    assert bought.status is OrderStatus.FILLED
    await node.until_processed(session, await node.feed.close_candle(close=price / 4))
    await node.feed.close_candle()
    own = await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    await node.feed.close_candle(close=price / 4)
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    entry, exit_ = await node.orders_of(session)
    assert exit_.quantity <= own.quantity <= entry.quantity
    async with node.database.read_only() as reading:
        (left,) = await reading.positions.list_open(account.id)
    assert left.trading_session_id is None
    assert left.quantity > Decimal("0.49")


async def test_a_paused_session_enters_no_more_and_still_exits(node: TradingNode) -> None:
    price = node.feed.price
    session = await node.session(await node.account(), strategy(exit_long=f"close < {price / 2}"))
    await node.feed.close_candle()
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    await node.trading_sessions.pause(node.user.id, session.id)
    await node.feed.close_candle(close=price / 4)
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    await node.until_processed(session, await node.feed.close_candle())
    assert await node.summary(session) == ["ENTER_LONG", "EXIT_LONG", "ENTRY FILLED", "EXIT FILLED"]
    await node.trading_sessions.resume(node.user.id, session.id)
    await node.feed.close_candle()
    await node.until_position(session, lambda now: now.quantity > 0, "it buys again")


async def test_pausing_takes_back_an_entry_that_rests(node: TradingNode) -> None:
    session = await node.session(await node.account(), strategy(order=PASSIVE))
    await node.feed.close_candle()
    await node.until_summarised(session, "ENTRY OPEN")
    await node.trading_sessions.pause(node.user.id, session.id)
    await node.until_summarised(session, "ENTRY CANCELED")


async def test_an_exit_takes_back_an_entry_that_rests(node: TradingNode) -> None:
    price = node.feed.price
    definition = strategy(order=PASSIVE, exit_long=f"close < {price / 2}")
    session = await node.session(await node.account(), definition)
    await node.feed.close_candle()
    await node.until_summarised(session, "ENTRY OPEN")
    await node.feed.close_candle(close=price / 4)
    await node.until_summarised(session, "ENTRY CANCELED")
    assert await node.summary(session) == ["ENTER_LONG", "EXIT_LONG", "ENTRY CANCELED"]


async def test_an_entry_that_isnt_filled_in_time_is_given_up(node: TradingNode) -> None:
    session = await node.session(await node.account(), strategy(order=replace(PASSIVE, give_up_after_seconds=600)))
    await node.feed.close_candle()
    entry = await node.until_order(session, lambda order: order.status is OrderStatus.OPEN)
    assert entry.expires_at == entry.created_at + timedelta(seconds=600)
    await node.pool.execute("UPDATE orders SET expires_at = $2 WHERE id = $1", entry.id, entry.created_at)
    ended = await node.until_order(session, lambda order: order.status in {OrderStatus.CANCELED, OrderStatus.EXPIRED})
    assert ended.venue_order_id is not None
    assert ended.filled_quantity == 0


async def test_stopping_with_close_position_ends_flat(node: TradingNode) -> None:
    session = await node.session(await node.account(), strategy())
    await node.feed.close_candle()
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    await node.trading_sessions.stop(node.user.id, session.id, close_position=True)
    stopped = await node.until(session, lambda now: now.status.value == "STOPPED", "it stops")
    position = await node.position(session)
    assert position.closed_at is not None
    assert stopped.stopped_at is not None
    assert await node.summary(session) == ["ENTER_LONG", "ENTRY FILLED", "CLOSE FILLED"]


async def test_stopping_without_close_position_keeps_it(node: TradingNode) -> None:
    session = await node.session(await node.account(), strategy())
    await node.feed.close_candle()
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    await node.trading_sessions.stop(node.user.id, session.id, close_position=False)
    await node.until(session, lambda now: now.status.value == "STOPPED", "it stops")
    assert (await node.position(session)).closed_at is None


async def test_stopping_cancels_an_entry_that_rests(node: TradingNode) -> None:
    session = await node.session(await node.account(), strategy(order=PASSIVE))
    await node.feed.close_candle()
    await node.until_summarised(session, "ENTRY OPEN")
    await node.trading_sessions.stop(node.user.id, session.id, close_position=True)
    await node.until(session, lambda now: now.status.value == "STOPPED", "it stops")
    assert await node.summary(session) == ["ENTER_LONG", "ENTRY CANCELED"]


async def test_a_position_below_the_lot_is_recorded_as_dust_and_doesnt_keep_a_session_from_stopping(
    node: TradingNode,
) -> None:
    session = await node.session(await node.account(), strategy())
    await node.feed.close_candle()
    position = await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    async with node.database.transaction() as transaction:
        await transaction.positions.save(position.changed(quantity=Decimal("0.0000031")))
    await node.trading_sessions.stop(node.user.id, session.id, close_position=True)
    await node.until(session, lambda now: now.status.value == "STOPPED", "it stops")
    position = await node.position(session)
    assert (position.quantity, position.dust) == (0, Decimal("0.0000031"))


async def test_an_exit_passes_a_halt(node: TradingNode) -> None:
    price = node.feed.price
    session = await node.session(await node.account(), strategy(exit_long=f"close < {price / 2}"))
    await node.feed.close_candle()
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    await node.halts.set_halt_of_trading_session(node.user.id, session.id, HaltRequest())
    await node.feed.close_candle(close=price / 4)
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    assert await node.summary(session) == ["ENTER_LONG", "EXIT_LONG", "ENTRY FILLED", "EXIT FILLED"]


async def test_an_exit_that_is_denied_is_tried_again_at_most_once_a_second(node: TradingNode) -> None:
    price = node.feed.price
    session = await node.session(await node.account(), strategy(exit_long=f"close < {price / 2}"))
    await node.feed.close_candle()
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    await node.list_market(active=False)
    await node.feed.close_candle(close=price / 4)
    await node.until_order(session, lambda order: order.role.value == "EXIT" and order.status is OrderStatus.DENIED)
    await node.list_market(active=True)
    await node.until_position(session, lambda now: now.closed_at, "it sells at last")
    _, *exits = await node.orders_of(session)
    assert [order.status.value for order in exits[-2:]] == ["DENIED", "FILLED"]
    pauses = [later.created_at - earlier.created_at for earlier, later in pairwise(exits)]
    assert min(pauses).total_seconds() >= 0.99
    assert len({order.client_order_id for order in exits}) == len(exits)


async def test_the_stop_loss_sells_when_a_trade_reaches_it(node: TradingNode) -> None:
    definition = strategy(stop_loss=ExitDistance(percent=Decimal(2)), take_profit=ExitDistance(percent=Decimal(5)))
    session = await node.session(await node.account(), definition)
    await node.feed.close_candle()
    protection = await node.until_protected(session)
    assert protection.stop_loss_price == round_up(protection.reference_price * Decimal("0.98"), Decimal("0.01"))
    await node.feed.trade(protection.stop_loss_price + Decimal("0.01"))
    await node.feed.trade(protection.stop_loss_price)
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    assert await node.summary(session) == ["ENTER_LONG", "ENTRY FILLED", "STOP_LOSS FILLED"]


async def test_the_take_profit_sells_when_a_trade_reaches_it(node: TradingNode) -> None:
    session = await node.session(await node.account(), strategy(take_profit=ExitDistance(percent=Decimal(1))))
    await node.feed.close_candle()
    protection = await node.until_protected(session)
    await node.feed.trade(protection.take_profit_price)
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    assert await node.summary(session) == ["ENTER_LONG", "ENTRY FILLED", "TAKE_PROFIT FILLED"]


async def test_an_atr_stop_is_measured_on_the_candles_before_the_entry(node: TradingNode) -> None:
    await node.feed.fill_history(400, high=node.feed.price + 10, low=node.feed.price - 10)
    session = await node.session(await node.account(), strategy(stop_loss=ExitDistance(atr_multiple=Decimal(2))))
    await node.feed.close_candle(high=node.feed.price + 10, low=node.feed.price - 10)
    protection = await node.until_protected(session)
    assert abs(protection.reference_price - protection.stop_loss_price - 40) < 1


async def test_a_position_is_sold_after_the_most_bars_that_it_may_be_held(node: TradingNode) -> None:
    session = await node.session(await node.account(), strategy(max_holding_bars=3))
    await node.feed.close_candle()
    position = await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    protection = await node.until_protected(session)
    assert protection.exit_at == Timeframe.M1.open_time(position.opened_at) + 3 * MINUTE
    # Orders are filled by the sandbox's time, and bars are counted from there; candles close by the script's.
    assert node.feed.venue_time < protection.exit_at - MINUTE
    while node.feed.venue_time < protection.exit_at - MINUTE:
        await node.until_processed(session, await node.feed.close_candle())
        assert (await node.summary(session)) == ["ENTER_LONG", "ENTRY FILLED"]
    await node.feed.close_candle()
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    (intent,) = await node.intents(session)
    assert intent.reason == "maxHoldingBars is reached: 3"
    assert (await node.summary(session))[-1] == "EXIT FILLED"


async def test_a_session_may_size_otherwise_than_its_strategy(node: TradingNode) -> None:
    sizing = Sizing(equity_percent=Decimal(10))
    session = await node.session(await node.account(), strategy(), sizing=sizing)
    await node.feed.close_candle()
    position = await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    assert abs(position.quantity * position.average_price - 10_000) < 50


async def test_all_of_the_equity_can_be_spent(node: TradingNode) -> None:
    session = await node.session(await node.account("5000"), strategy(sizing=Sizing(equity_percent=Decimal(100))))
    await node.feed.close_candle()
    position = await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    assert 4_950 < position.quantity * position.average_price < 5_000


async def test_an_entry_without_a_fresh_book_waits_for_it_and_is_sized_by_it(
    node: TradingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.trading.signal_actor.DEPTH_TIMEOUT_SECONDS", PATIENCE_SECONDS)
    session = await node.session(await node.account("5000"), strategy(sizing=Sizing(equity_percent=Decimal(100))))
    await node.feed.lose_book()
    await node.feed.close_candle(close=cents(node.feed.price * Decimal("0.98")))
    node.feed.follow_book()
    position = await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    assert 4_950 < position.quantity * position.average_price < 5_000


async def test_the_limits_of_a_session_are_checked_on_its_orders(node: TradingNode) -> None:
    risk = RiskLimits(max_order_notional=Decimal(100))
    session = await node.session(await node.account(), strategy(), risk=risk)
    await node.feed.close_candle()
    await node.until_summarised(session, "ENTRY DENIED MAX_ORDER_NOTIONAL")


async def test_an_entry_that_cant_be_sized_is_a_signal_without_an_order(node: TradingNode) -> None:
    sizing = Sizing(quote_amount=Decimal("0.01"))
    session = await node.session(await node.account(), strategy(sizing=sizing))
    await node.until_processed(session, await node.feed.close_candle())
    (signal,) = await node.signals(session)
    assert "no order: " in signal.reason
    assert signal.order_id is None


@pytest.mark.parametrize(
    ("name", "distance"),
    [
        ("stop_loss", ExitDistance(absolute=Decimal(10_000_000))),
        ("stop_loss", ExitDistance(atr_multiple=Decimal(100_000))),
        ("trailing_stop", ExitDistance(absolute=Decimal(10_000_000))),
    ],
)
async def test_an_entry_whose_stop_would_never_be_reached_is_refused_and_alerted_of_once(
    node: TradingNode, name: str, distance: ExitDistance
) -> None:
    near = {"trailing_stop": ExitDistance(percent=Decimal(2)), "stop_loss": ExitDistance(percent=Decimal(2))}
    await node.feed.fill_history(400, high=node.feed.price + 10, low=node.feed.price - 10)
    session = await node.session(await node.account(), strategy(**(near | {name: distance})))
    for _ in range(2):
        await node.until_processed(session, await node.feed.close_candle())
    assert await node.orders_of(session) == []
    reasons = [signal.reason for signal in await node.signals(session)]
    assert len(reasons) == 2
    assert all("the stop would never be reached" in reason for reason in reasons)
    assert ["the stop would never be reached" in alert for alert in await node.alerts()] == [True]


async def test_the_orders_of_a_candle_are_sent_without_waiting_for_the_executor_to_look(
    node: TradingNode,
) -> None:
    await node.trader.close()
    await node.restart(timings=TradingTimings(execution=OrderTimings(poll_interval=3600)))
    account, price = await node.account(), node.feed.price
    session = await node.session(account, strategy(exit_long=f"close < {price / 2}"))
    for _ in range(3):
        await node.feed.close_candle()
        await node.until_position(session, lambda now: now.quantity > 0, "it buys")
        await node.feed.close_candle(close=price / 4)
        await node.until_position(session, lambda now: now.closed_at, "it sells")
    assert (await node.summary(session))[-6:] == ["ENTRY FILLED", "EXIT FILLED"] * 3
