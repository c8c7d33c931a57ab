"""Trading sessions over restarts, take-overs and lost leases: nothing is lost, nothing happens twice."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.model.definitions import ExitDistance, OrderStyle
from domain.model.orders import OrderType
from domain.model.trading import TradingSession
from domain.model.trading import TradingSessionStatusCode as Code
from domain.trading.dependencies import TradingTimings
from domain.trading.session_supervisor import INTERNAL_ERROR
from infra.venues.ccxt.execution_client import CcxtExecutionClient
from tests.support.trading_node import MINUTE, TradingNode, strategy
from tests.support.waiting import eventually


async def in_a_position(node: TradingNode, **changes: object) -> TradingSession:
    """Return a session that has bought."""
    session = await node.session(await node.account(), strategy(**changes))
    await node.feed.close_candle()
    await node.until_position(session, lambda now: now.quantity > 0, "it buys")
    return session


async def test_an_entry_of_a_candle_that_closed_while_the_engine_was_down_is_recorded_as_missed(
    node: TradingNode,
) -> None:
    session = await node.session(await node.account(), strategy())
    await node.trader.close()
    missed = [await node.feed.close_candle(published=False) for _ in range(3)]
    node.feed.venue_time += timedelta(seconds=20)
    await node.restart()
    await node.until_processed(session, missed[-1])
    assert await node.summary(session) == ["ENTER_LONG missed"] * 3
    assert [signal.candle_at for signal in await node.signals(session)] == [candle.open_time for candle in missed]


async def test_an_exit_that_is_still_true_is_acted_on_after_a_restart(node: TradingNode) -> None:
    price = node.feed.price
    session = await in_a_position(node, exit_long=f"close < {price / 2}")
    await node.trader.close()
    for _ in range(2):
        await node.feed.close_candle(published=False, close=price / 4)
    node.feed.venue_time += timedelta(seconds=40)
    await node.restart()
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    assert (await node.summary(session))[:3] == ["ENTER_LONG", "EXIT_LONG missed", "EXIT_LONG"]


async def test_an_exit_that_is_over_isnt_acted_on_after_a_restart(node: TradingNode) -> None:
    price = node.feed.price
    session = await in_a_position(node, exit_long=f"close < {price / 2}")
    await node.trader.close()
    await node.feed.close_candle(published=False, close=price / 4)
    newest = await node.feed.close_candle(published=False)
    await node.restart()
    await node.until_processed(session, newest)
    assert await node.summary(session) == ["ENTER_LONG", "EXIT_LONG missed", "ENTRY FILLED"]
    assert (await node.position(session)).closed_at is None


async def test_a_stop_loss_that_was_hit_while_the_engine_was_down_fires_at_start(node: TradingNode) -> None:
    session = await in_a_position(node, stop_loss=ExitDistance(percent=Decimal(2)))
    protection = await node.until_protected(session)
    await node.until_processed(session, await node.feed.close_candle())
    await node.trader.close()
    await node.feed.close_candle(published=False, low=protection.stop_loss_price - 1)
    await node.feed.close_candle(published=False)
    await node.restart()
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    assert "STOP_LOSS FILLED" in await node.summary(session)


async def test_protection_goes_on_after_a_restart(node: TradingNode) -> None:
    session = await in_a_position(node, stop_loss=ExitDistance(percent=Decimal(2)))
    before = await node.until_protected(session)
    await node.trader.close()
    await node.restart()
    await eventually(lambda: node.trader.accounts, "the account is traded again")
    await node.until_processed(session, await node.feed.close_candle())
    after = await node.until_protected(session)
    assert after.stop_loss_price == before.stop_loss_price
    await node.feed.trade(after.stop_loss_price - 1)
    await node.until_position(session, lambda now: now.closed_at, "it sells")


async def test_a_position_that_was_filled_just_before_a_crash_is_protected_after_it(node: TradingNode) -> None:
    session = await in_a_position(node, stop_loss=ExitDistance(percent=Decimal(2)))
    before = await node.until_protected(session)
    await node.trader.close()
    waiting = before.changed(position_id=None, reference_price=None, stop_loss_price=None, watched_until=None)
    async with node.database.transaction() as transaction:
        await transaction.protection.save(waiting)
    await node.restart()
    assert (await node.until_protected(session)).stop_loss_price == before.stop_loss_price


async def test_a_position_that_an_older_version_left_without_protection_gets_it(node: TradingNode) -> None:
    session = await in_a_position(node, stop_loss=ExitDistance(percent=Decimal(2)))
    before = await node.until_protected(session)
    await node.trader.close()
    await node.pool.execute("DELETE FROM position_protections WHERE id = $1", before.id)
    await node.restart()
    after = await node.until_protected(session)
    assert after.id != before.id
    async with node.database.read_only() as reading:
        assert [row.id for row in await reading.protection.list_open(session.account_id)] == [after.id]
    await node.until_position(session, lambda now: now.quantity > 0, "it holds")


async def test_an_exit_that_was_begun_before_a_crash_goes_on_after_it(node: TradingNode) -> None:
    price = node.feed.price
    session = await in_a_position(node, exit_long=f"close < {price / 2}")
    await node.list_market(active=False)
    await node.feed.close_candle(close=price / 4)
    await node.until_order(session, lambda order: order.status.value == "DENIED")
    await node.trader.close()
    await node.list_market(active=True)
    await node.restart()
    await node.until_position(session, lambda now: now.closed_at, "it sells")
    assert (await node.orders_of(session))[-1].signal_id == (await node.signals(session))[-1].id


async def test_a_candle_that_is_published_again_after_a_restart_makes_no_second_order(node: TradingNode) -> None:
    # The order is denied, so that nothing but the candle itself keeps the session from entering again.
    price = node.feed.price
    session = await node.session(await node.account("10"), strategy(enter_long=f"close > {price * 2}"))
    candle = await node.feed.close_candle(close=price * 3)
    await node.until_summarised(session, "ENTRY DENIED INSUFFICIENT_BALANCE")
    await node.feed.publish(candle)
    await node.trader.close()
    await node.restart()
    await node.feed.publish(candle)
    await node.until_processed(session, await node.feed.close_candle())
    assert await node.summary(session) == ["ENTER_LONG", "ENTRY DENIED INSUFFICIENT_BALANCE"]


async def test_a_session_that_was_stopped_while_the_engine_was_down_stops_at_its_start(node: TradingNode) -> None:
    session = await in_a_position(node)
    await node.trader.close()
    await node.trading_sessions.stop(node.user.id, session.id, close_position=True)
    await node.restart()
    await node.until(session, lambda now: now.status.value == "STOPPED", "it stops")
    assert (await node.position(session)).closed_at is not None


async def test_another_node_takes_over_as_soon_as_the_first_lets_go(node: TradingNode) -> None:
    account = await node.account()
    other = node.new_trader("node-2")
    await eventually(lambda: account.id in node.trader.accounts, "the first node trades the account")
    await other.start()
    assert other.accounts == frozenset()
    await node.trader.close()
    await eventually(lambda: account.id in other.accounts, "the second node trades the account")
    await other.close()


async def test_a_lease_that_another_node_took_ends_the_work_at_once(node: TradingNode) -> None:
    account = await node.account()
    session = await node.session(account, strategy())
    async with node.database.transaction() as transaction:
        mine = await transaction.leases.acquire("account", str(account.id), "node-1", 6)
        await transaction.leases.release(mine)
        await transaction.leases.acquire("account", str(account.id), "another", 600)
    await node.feed.close_candle()
    await eventually(lambda: account.id not in node.trader.accounts, "the node stops trading it")
    assert await node.summary(session) == []


async def test_a_worker_that_ends_closes_its_connections_however_long_that_takes(
    node: TradingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed: list[CcxtExecutionClient] = []
    close = CcxtExecutionClient.close

    async def slowly(venue: CcxtExecutionClient) -> None:
        await asyncio.sleep(0.3)
        await close(venue)
        closed.append(venue)

    monkeypatch.setattr(CcxtExecutionClient, "close", slowly)
    await node.trader.close()
    await node.restart(timings=TradingTimings(close_wait=0.05))
    account = await node.account()
    await node.session(account, strategy())
    await node.trader.close()
    await eventually(lambda: closed, "the connections are closed")


async def test_an_archived_account_is_no_longer_traded(node: TradingNode) -> None:
    account = await node.account()
    await eventually(lambda: account.id in node.trader.accounts, "the account is traded")
    await node.accounts.archive(node.user.id, account.id)
    await eventually(lambda: account.id not in node.trader.accounts, "the account is no longer traded")


async def test_a_session_whose_rules_cant_be_read_fails_alone(node: TradingNode) -> None:
    account = await node.account()
    good = await node.session(account, strategy())
    bad = await node.stored_session(account, strategy(enter_long="close > smaa(close, 3)"))
    failed = await node.until(bad, lambda now: now.status.value == "FAILED", "it fails")
    assert "smaa" in failed.status_reason
    assert failed.status_code is Code.STRATEGY_INVALID
    await node.feed.close_candle()
    await node.until_position(good, lambda now: now.quantity > 0, "the other one buys")


async def test_a_session_that_meets_a_fault_fails_alone_and_shows_nothing_internal(
    node: TradingNode, caplog: pytest.LogCaptureFixture
) -> None:
    account = await node.account()
    good = await node.session(account, strategy())
    # The service would refuse such a definition; here it stands for a mistake of the engine's own.
    bad = await node.stored_session(account, strategy(order=OrderStyle(OrderType.LIMIT, Decimal("NaN"))))
    await node.until(bad, lambda now: now.status.value == "RUNNING", "it runs")
    await node.feed.close_candle()
    failed = await node.until(bad, lambda now: now.status.value == "FAILED", "it fails")
    assert (failed.status_reason, failed.status_code) == (INTERNAL_ERROR, Code.INTERNAL)
    assert failed.stopped_at is not None
    await node.until_position(good, lambda now: now.quantity > 0, "the other one buys")
    assert [record.getMessage() for record in caplog.records if record.exc_info] == [
        f"the trading session {bad.id} failed"
    ]


async def test_a_session_shows_what_it_waits_for_until_it_is_warm(node: TradingNode) -> None:
    session = await node.start_session(await node.account(), strategy(enter_long="close > sma(close, 300)"))
    waiting = await node.until(session, lambda now: now.status_reason, "its row has what it waits for")
    assert (waiting.status.value, waiting.status_code) == ("STARTING", Code.WAITING_FOR_CANDLES)
    assert "50 of the" in waiting.status_reason
    await node.feed.fill_history(400)
    running = await node.until(session, lambda now: now.status.value == "RUNNING", "it runs")
    assert (running.status_reason, running.status_code) == (None, None)


async def test_a_session_goes_on_over_a_candle_that_the_bus_lost(node: TradingNode) -> None:
    session = await node.session(await node.account(), strategy(enter_long="close < 0"))
    await node.feed.close_candle(published=False)
    newest = await node.feed.close_candle()
    await node.until_processed(session, newest)
    assert newest.open_time - session.last_candle_at == 2 * MINUTE


async def test_an_account_whose_credentials_cant_be_unsealed_harms_no_other(
    node: TradingNode, caplog: pytest.LogCaptureFixture
) -> None:
    await node.trader.close()
    broken = await node.account()
    async with node.database.transaction() as transaction:
        await transaction.accounts.set_credentials(broken.id, b"no seal")
    await node.restart()
    await in_a_position(node)
    failed = f"the trading of account {broken.id} failed and is started again"
    await eventually(lambda: failed in caplog.text, "it has been tried")
    assert "no seal" not in caplog.text
