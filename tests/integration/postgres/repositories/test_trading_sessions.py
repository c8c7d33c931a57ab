"""Trading sessions and their signals."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.core.pagination import KeysetPage
from domain.model.definitions import Sizing
from domain.model.markets import MarketSymbol, Timeframe
from domain.model.orders import OrderStatus
from domain.model.trading import (
    ParameterValue,
    RiskLimits,
    SignalAction,
    TradingSession,
    TradingSessionStatus,
    TradingSessionStatusCode,
)
from domain.ports.trading_sessions import SeenCandle, TradingSessionFilter
from infra.postgres.connection import Connection
from infra.postgres.repositories.orders import PostgresOrders
from infra.postgres.repositories.positions import PostgresPositions
from infra.postgres.repositories.trading_sessions import PostgresTradingSessions
from tests.support.trading import BTC, ETH, NOW, World, at, new_id

ALL = TradingSessionFilter()


@pytest.fixture
def sessions(connection: Connection) -> PostgresTradingSessions:
    return PostgresTradingSessions(connection)


@pytest.mark.parametrize("timeframe", Timeframe)
async def test_a_session_comes_back_as_it_was_stored(
    sessions: PostgresTradingSessions, world: World, timeframe: Timeframe
) -> None:
    full = world.new_session(
        timeframe=timeframe,
        parameters=(ParameterValue("fast", Decimal("12.50")), ParameterValue("slow", Decimal("1E+2"))),
        status=TradingSessionStatus.FAILED,
        sizing=Sizing(equity_percent=Decimal("2.5")),
        risk=RiskLimits(max_open_orders=1, max_daily_loss=Decimal("0.1")),
        status_reason="the venue is gone",
        status_code=TradingSessionStatusCode.INTERNAL,
        stopped_at=at(9),
        close_on_stop=True,
        other_markets=(ETH, MarketSymbol("sandbox", "A,{}/USDT")),
        max_open_positions=2,
        start_equity=Decimal("10000.000000000000000001"),
    )
    await sessions.add(full)
    assert await sessions.get(world.user.id, full.id) == full
    assert await sessions.get(world.user.id, world.session.id) == world.session


@pytest.mark.parametrize("status", TradingSessionStatus)
async def test_a_saved_session_has_all_that_was_changed(
    sessions: PostgresTradingSessions, world: World, status: TradingSessionStatus
) -> None:
    changed = replace(
        world.session,
        status=status,
        parameters=(ParameterValue("fast", Decimal(3)),),
        sizing=Sizing(quote_amount=Decimal(5)),
        risk=RiskLimits(),
        status_reason="asked",
        status_code=TradingSessionStatusCode.STOPPED_BY_USER,
        stopped_at=at(2),
        close_on_stop=True,
        max_open_positions=1,
        start_equity=Decimal(1),
    )
    await sessions.save(changed)
    assert await sessions.get_for_update(world.session.id) == changed
    await sessions.save(world.session)
    assert await sessions.get_for_update(world.session.id) == world.session


async def test_the_newest_candle_of_each_market_is_kept_and_never_goes_back(
    sessions: PostgresTradingSessions, world: World, stranger: World
) -> None:
    key, other = world.session.id, stranger.session.id
    assert await sessions.last_candle_at(key, BTC) is None
    assert await sessions.save_last_candles([SeenCandle(key, BTC, at(60)), SeenCandle(other, BTC, at(0))]) == 2
    assert await sessions.save_last_candles([SeenCandle(key, BTC, at(0)), SeenCandle(key, ETH, at(120))]) == 1
    assert await sessions.save_last_candles([SeenCandle(key, BTC, at(60))]) == 0
    assert [await sessions.last_candle_at(key, market) for market in (BTC, ETH)] == [at(60), at(120)]
    stored = await sessions.get(world.user.id, key)
    assert stored is not None
    assert stored.last_candle_at == at(120)
    assert await sessions.last_candle_at(other, BTC) == at(0)


async def test_a_session_is_found_by_each_of_its_markets(sessions: PostgresTradingSessions, world: World) -> None:
    several = world.new_session(market=ETH, other_markets=(MarketSymbol("sandbox", "SOL/USDT"), BTC))
    await sessions.add(several)
    for market, found in ((ETH, [several]), (BTC, [several, world.session]), (several.other_markets[0], [several])):
        assert await sessions.list_page(world.user.id, KeysetPage(9), TradingSessionFilter(market=market)) == found
    assert set(several.markets) <= set(await sessions.markets_in_use())
    assert set(several.markets) <= set(await sessions.markets_of_account(world.account.id))


async def test_a_session_of_another_user_is_as_if_absent(
    sessions: PostgresTradingSessions, world: World, stranger: World
) -> None:
    assert await sessions.get(stranger.user.id, world.session.id) is None
    assert await sessions.list_page(stranger.user.id, KeysetPage(9), ALL) == [stranger.session]
    assert await sessions.get_for_update(new_id()) is None


async def test_live_sessions_are_those_that_have_not_ended(
    sessions: PostgresTradingSessions, world: World, stranger: World
) -> None:
    made = {status: world.new_session(status=status) for status in TradingSessionStatus}
    for session in made.values():
        await sessions.add(session)
    live = [world.session, *(session for status, session in made.items() if not status.is_final)]
    assert await sessions.list_live(world.account.id) == live
    assert await sessions.count_live(world.user.id) == len(live)
    assert await sessions.count_live(stranger.user.id) == 1


async def test_markets_in_use_are_those_of_live_sessions_open_positions_and_active_orders(
    sessions: PostgresTradingSessions, world: World, stranger: World, connection: Connection, orders: PostgresOrders
) -> None:
    def market(name: str) -> MarketSymbol:
        return MarketSymbol("sandbox", f"{name}/USDT")

    positions = PostgresPositions(connection)
    await sessions.add(world.new_session(market=market("A1"), status=TradingSessionStatus.PAUSED))
    await sessions.add(world.new_session(market=market("A0"), status=TradingSessionStatus.STOPPED))
    await positions.save(world.position(market=market("B1")))
    await positions.save(world.position(market=market("B0"), closed_at=NOW))
    await orders.add(world.order(market=market("C1"), status=OrderStatus.IN_DOUBT))
    await orders.add(world.order(market=market("C0"), status=OrderStatus.FILLED))
    await orders.add(world.order(market=BTC))
    await orders.add(stranger.order(market=market("D1")))
    mine = [market("A1"), market("B1"), BTC, market("C1")]
    assert await sessions.markets_in_use() == [*mine, market("D1")]
    assert await sessions.markets_of_account(world.account.id) == mine


async def test_a_page_holds_only_what_the_filter_selects_newest_first(
    sessions: PostgresTradingSessions, world: World
) -> None:
    ether = world.new_session(market=ETH)
    stopped = world.new_session(status=TradingSessionStatus.STOPPED)
    for session in (ether, stopped):
        await sessions.add(session)
    user = world.user.id

    async def found(page: KeysetPage, **filters: object) -> list[TradingSession]:
        return await sessions.list_page(user, page, TradingSessionFilter(**filters))  # type: ignore[arg-type]

    assert await found(KeysetPage(2)) == [stopped, ether]
    assert await found(KeysetPage(2, after=ether.id)) == [world.session]
    assert await found(KeysetPage(2, backwards=True)) == [ether, world.session]
    assert await found(KeysetPage(9), market=ETH) == [ether]
    assert await found(KeysetPage(9), statuses=(TradingSessionStatus.STOPPED,)) == [stopped]
    assert await found(KeysetPage(9), account_id=new_id()) == []
    assert {session.id for session in await sessions.get_many([ether.id, new_id()])} == {ether.id}


@pytest.mark.parametrize("action", SignalAction)
async def test_a_signal_comes_back_as_it_was_stored(
    sessions: PostgresTradingSessions, world: World, orders: PostgresOrders, action: SignalAction
) -> None:
    order = world.order()
    await orders.add(order)
    bare = world.signal(action=action)
    full = world.signal(action=action, candle_at=NOW, missed=True, order_id=order.id)
    for signal in (bare, full):
        assert await sessions.add_signal(signal)
        assert await sessions.get_signal(world.user.id, signal.id) == signal


async def test_a_session_stores_a_signal_once_for_a_candle(sessions: PostgresTradingSessions, world: World) -> None:
    assert await sessions.add_signal(world.signal(candle_at=NOW))
    assert not await sessions.add_signal(world.signal(candle_at=NOW, reason="again"))
    assert await sessions.add_signal(world.signal(candle_at=NOW, action=SignalAction.EXIT_LONG))
    assert await sessions.add_signal(world.signal(candle_at=at(60)))


async def test_signals_from_outside_may_be_repeated(sessions: PostgresTradingSessions, world: World) -> None:
    assert await sessions.add_signal(world.signal())
    assert await sessions.add_signal(world.signal())


async def test_a_signal_learns_of_its_order(
    sessions: PostgresTradingSessions, world: World, orders: PostgresOrders
) -> None:
    signal = world.signal()
    order = world.order(signal_id=signal.id)
    await sessions.add_signal(signal)
    await orders.add(order)
    await sessions.set_signal_order(signal.id, order.id)
    assert await sessions.get_many_signals([signal.id, new_id()]) == [replace(signal, order_id=order.id)]


async def test_signals_are_paged_for_their_owner_alone(
    sessions: PostgresTradingSessions, world: World, stranger: World
) -> None:
    newest = [world.signal() for _ in range(5)][::-1]
    for signal in newest:
        await sessions.add_signal(signal)
    user, session = world.user.id, world.session.id
    assert await sessions.list_signals(user, session, KeysetPage(2)) == newest[:2]
    assert await sessions.list_signals(user, session, KeysetPage(2, after=newest[1].id)) == newest[2:4]
    assert await sessions.list_signals(user, session, KeysetPage(2, backwards=True)) == newest[3:]
    assert await sessions.list_signals(stranger.user.id, session, KeysetPage(2)) == []
    assert await sessions.get_signal(stranger.user.id, newest[0].id) is None
