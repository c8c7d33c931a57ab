"""The drift of a trading session by the public API: its own fills against a backtest in a real process."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.backtest.engine import run_backtest
from domain.backtest.plan import BacktestPlan
from domain.jobs.runner import JobRunner
from domain.model.definitions import Sizing, StrategyDefinition
from domain.model.markets import Timeframe
from domain.model.order_side import OrderSide
from domain.model.orders import OrderRole, OrderStatus
from domain.model.reports import RoundTrip
from domain.model.trading import Signal, SignalAction, TradingSession, TradingSessionStatus
from domain.research import backtest_task, drift_handler
from domain.research.candle_loader import CandleLoader
from domain.research.compute_pool import ComputePool
from domain.research.drift_handler import MOST_SIGNALS, DriftHandler
from domain.research.drift_service import MOST_OPEN, PAUSE
from domain.rules.costs import TradingCosts
from domain.strategies.compiled import compile_definition
from infra.postgres.candle_series import PostgresBars, read_bars
from infra.postgres.connection import Connection
from infra.runtime.compute_pool import ProcessPool
from resolvers.ids import encode_id
from tests.support.api import Api
from tests.support.backtest_jobs import store_waves, waves
from tests.support.optimizations import ThreadPool
from tests.support.orders import a_market
from tests.support.trading import new_strategy, new_version

QUERY = """query($id: ID!) { node(id: $id) { ... on TradingSession { backtestDrift {
  computedAt from until matched missed extra missingCandles liveProfitPercent backtestProfitPercent entryBps exitBps
  items { cause at message priceBps market { symbol } } } } } }"""
LIST = "{ viewer { tradingSessions { nodes { backtestDrift { matched } } } } }"
JOBS = "{ viewer { jobs { nodes { kind status message } } } }"
RULES = StrategyDefinition(
    sizing=Sizing(quote_amount=Decimal(500)),
    enter_long="crosses_above(close, sma(close, 8))",
    exit_long="crosses_below(close, sma(close, 8))",
)
COUNT = 300
LIVE_HOURS = 200


@pytest.fixture
async def processes() -> AsyncIterator[ProcessPool]:
    processes = ProcessPool(1)
    yield processes
    await processes.close()


def runner(api: Api, processes: ComputePool, most_signals: int = MOST_SIGNALS) -> JobRunner:
    database, harness = api.database, api.harness
    candles = CandleLoader(database, PostgresBars(harness.pool), lambda _venue: None, harness.clock)
    handler = DriftHandler(database, candles, processes, harness.clock, most_signals)
    return JobRunner(database, harness.bus, harness.clock, "worker", [handler])


async def a_session(api: Api, definition: StrategyDefinition = RULES, **changes: Any) -> TradingSession:
    """Return a session on hourly candles, stored, that ran for 200 hours until the last one; 300 candles are stored.

    It has ended, so that an hour that ends during the test changes nothing.
    """
    now = Timeframe.H1.open_time(api.harness.clock.now())
    strategy = new_strategy(api.harness.user.id)
    version = new_version(strategy, definition=definition)
    async with api.database.transaction() as transaction:
        await transaction.strategies.add(strategy, version)
    await store_waves(api.database, waves(count=COUNT, start=now - COUNT * timedelta(hours=1)))
    started_at = now - LIVE_HOURS * timedelta(hours=1) + timedelta(minutes=20)
    values = {
        "timeframe": Timeframe.H1,
        "status": TradingSessionStatus.STOPPED,
        "started_at": started_at,
        "stopped_at": now,
        **changes,
    }
    return await api.session(version, **values)


async def backtest(api: Api, session: TradingSession) -> tuple[RoundTrip, ...]:
    """Return the round trips of the engine itself, on the same candles."""
    first = Timeframe.H1.open_time(session.started_at)
    compiled = compile_definition(RULES, {}, Timeframe.H1)
    async with api.harness.pool.acquire() as driver:
        bars = await read_bars(
            Connection(driver), session.market, Timeframe.H1, first - compiled.warm_up * timedelta(hours=1),
            api.harness.clock.now(),
        )  # fmt: skip
    market = a_market()
    costs = TradingCosts(market.taker_fee or Decimal(0), market.maker_fee or Decimal(0))
    plan = BacktestPlan(RULES, compiled, market, Timeframe.H1, costs, Decimal(10_000))
    return run_backtest(plan, bars, bars.index_of(first)).round_trips


async def lived(api: Api, session: TradingSession, trip: RoundTrip, worse: str = "0") -> None:
    """Store what a session does for a round trip: a signal, and the fills of an entry and an exit."""
    factor = Decimal(worse) / 10_000
    entry = await _filled(api, session, OrderSide.BUY, trip.opened_at, trip.entry_price * (1 + factor), trip.quantity)
    async with api.database.transaction() as transaction:
        await transaction.trading_sessions.add_signal(_signal(api, session, trip.opened_at, entry))
    if trip.closed_at is not None:
        assert trip.exit_price is not None
        price = trip.exit_price * (1 - factor)
        await _filled(api, session, OrderSide.SELL, trip.closed_at, price, trip.quantity)


def _signal(api: Api, session: TradingSession, opened_at: datetime, order_id: Any, **changes: Any) -> Any:
    return Signal(
        **{
            "id": api.harness.ids.next_id(),
            "user_id": session.user_id,
            "trading_session_id": session.id,
            "at": opened_at,
            "action": SignalAction.ENTER_LONG,
            "price": Decimal(100),
            "reason": "",
            "candle_at": opened_at - timedelta(hours=1),
            "order_id": order_id,
            "market": session.market,
            **changes,
        }
    )


async def _filled(
    api: Api, session: TradingSession, side: OrderSide, at: datetime, price: Decimal, quantity: Decimal
) -> Any:
    at += timedelta(seconds=2)
    role = OrderRole.ENTRY if side is OrderSide.BUY else OrderRole.EXIT
    order = api.floor_order(
        side=side, role=role, quantity=quantity, status=OrderStatus.FILLED, trading_session_id=session.id, created_at=at
    )
    fill = api.fill_of(order, price=price, quantity=quantity, at=at, fee=Decimal(0))
    async with api.database.transaction() as transaction:
        await transaction.orders.add(order)
        await transaction.orders.add_fill(fill)
    return order.id


async def drift(api: Api, session: TradingSession) -> dict[str, Any] | None:
    return (await api.run(QUERY, id=encode_id("TradingSession", session.id)))["node"]["backtestDrift"]


async def jobs(api: Api) -> list[dict[str, Any]]:
    return (await api.run(JOBS))["viewer"]["jobs"]["nodes"]


async def test_a_session_that_did_what_the_backtest_did_has_drifted_by_its_prices_alone(
    api: Api, processes: ProcessPool
) -> None:
    session = await a_session(api)
    trips = await backtest(api, session)
    assert len(trips) > 3
    for trip in trips:
        await lived(api, session, trip, worse="12")
    assert await drift(api, session) is None
    assert await drift(api, session) is None
    assert await runner(api, processes).work_once()
    (job,) = await jobs(api)
    assert (job["kind"], job["status"]) == ("drift", "SUCCEEDED")
    found = await drift(api, session)
    assert found is not None
    assert (found["matched"], found["missed"], found["extra"], found["missingCandles"]) == (len(trips), 0, 0, 0)
    assert found["entryBps"] == pytest.approx(12, abs=0.01)
    assert found["exitBps"] == pytest.approx(12, abs=0.01)
    assert {item["cause"] for item in found["items"]} == {"PRICE"}
    assert found["items"][0]["market"]["symbol"] == str(session.market)
    assert found["backtestProfitPercent"] > found["liveProfitPercent"]
    assert await jobs(api) == [job]


async def test_what_the_session_lacks_or_has_alone_is_named(api: Api, processes: ProcessPool) -> None:
    session = await a_session(api)
    first, second, third, *others = await backtest(api, session)
    async with api.database.transaction() as transaction:
        missed = _signal(api, session, second.opened_at, None, missed=True)
        await transaction.trading_sessions.add_signal(missed)
    by_hand = replace(others[-1], opened_at=first.opened_at - timedelta(hours=5), closed_at=first.opened_at)
    await _filled(api, session, OrderSide.BUY, by_hand.opened_at, by_hand.entry_price, by_hand.quantity)
    await _filled(api, session, OrderSide.SELL, by_hand.opened_at, by_hand.entry_price, by_hand.quantity)
    for trip in (third, *others):
        await lived(api, session, trip)
    await drift(api, session)
    await runner(api, processes).work_once()
    found = await drift(api, session)
    assert found is not None
    assert [item["cause"] for item in found["items"]] == ["SUBMITTED", "SIGNAL_MISSING", "SIGNAL_MISSED"]
    assert (found["missed"], found["extra"]) == (2, 1)


async def test_what_happened_after_the_newest_candle_is_not_compared_yet(api: Api, processes: ProcessPool) -> None:
    session = await a_session(api)
    trips = await backtest(api, session)
    for trip in trips:
        await lived(api, session, trip)
    assert session.stopped_at is not None
    later = replace(trips[0], opened_at=session.stopped_at, closed_at=None)
    await lived(api, session, later)
    await drift(api, session)
    await runner(api, processes).work_once()
    found = await drift(api, session)
    assert found is not None
    assert (found["matched"], found["extra"], found["items"]) == (len(trips), 0, [])
    assert datetime.fromisoformat(found["until"]) == session.stopped_at


async def test_of_a_session_with_many_signals_both_sides_are_compared_since_those_that_are_read(
    api: Api, processes: ProcessPool
) -> None:
    session = await a_session(api)
    trips = await backtest(api, session)
    for trip in trips:
        await lived(api, session, trip)
    await drift(api, session)
    await runner(api, processes, most_signals=3).work_once()
    found = await drift(api, session)
    assert found is not None
    since = datetime.fromisoformat(found["from"])
    assert trips[-3].opened_at < since
    compared = [trip for trip in trips if trip.opened_at >= since]
    assert 0 < len(compared) < 3
    assert (found["matched"], found["missed"], found["extra"], found["items"]) == (len(compared), 0, 0, [])
    assert found["liveProfitPercent"] == pytest.approx(found["backtestProfitPercent"], abs=0.5)


async def test_a_backtest_of_more_round_trips_than_are_kept_is_compared_up_to_the_last_of_them(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (backtest_task, drift_handler):
        monkeypatch.setattr(module, "MAX_ROUND_TRIPS", 3)
    session = await a_session(api)
    trips = await backtest(api, session)
    for trip in trips:
        await lived(api, session, trip)
    await drift(api, session)
    await runner(api, ThreadPool()).work_once()
    found = await drift(api, session)
    assert found is not None
    assert (found["from"], datetime.fromisoformat(found["until"])) == (None, trips[2].opened_at)
    assert (found["matched"], found["missed"], found["extra"], found["items"]) == (2, 0, 0, [])


async def test_it_is_requested_once_and_again_when_it_is_old_until_the_session_has_ended(
    api: Api, processes: ProcessPool
) -> None:
    session = await a_session(api, stopped_at=api.harness.clock.now() + timedelta(hours=1))
    await drift(api, session)
    await runner(api, processes).work_once()
    for ahead, count in ((PAUSE, 1), (timedelta(hours=24), 1)):
        api.harness.clock.ahead += ahead
        assert await drift(api, session) is not None
        assert len(await jobs(api)) == count
    (job,) = await jobs(api)
    assert job["status"] == "QUEUED"  # the one before is gone
    await runner(api, processes).work_once()
    api.harness.clock.ahead += timedelta(days=30)
    await drift(api, session)
    assert [each["status"] for each in await jobs(api)] == ["SUCCEEDED"]


async def test_many_sessions_in_a_list_start_few_jobs_and_are_read_at_once(api: Api) -> None:
    for _ in range(4):
        await a_session(api)
    api.database.statements.clear()
    answer = await api.run(LIST)
    assert [node["backtestDrift"] for node in answer["viewer"]["tradingSessions"]["nodes"]] == [None] * 4
    assert len(await jobs(api)) == MOST_OPEN


async def test_a_strategy_of_outside_signals_has_nothing_to_compare(api: Api, processes: ProcessPool) -> None:
    session = await a_session(api, StrategyDefinition(sizing=RULES.sizing))
    await drift(api, session)
    await runner(api, processes).work_once()
    (job,) = await jobs(api)
    assert job["message"] == "The strategy has no rule to enter: there is nothing to compare."
    assert await drift(api, session) is None
    api.harness.clock.ahead += PAUSE
    await drift(api, session)
    assert len(await jobs(api)) == 1


async def test_the_drift_of_another_users_session_is_not_found(api: Api) -> None:
    session = await a_session(api)
    other = api.context(await api.another_user())
    assert (await api.run(QUERY, other, id=encode_id("TradingSession", session.id)))["node"] is None
    assert await jobs(api) == []
