"""What reports say of accounts and trading sessions, from what is stored of them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.model.orders import OrderStatus
from domain.model.reports import PerformanceMetrics, ReportScope
from domain.reports.price_source import MARKS_PER_MARKET
from domain.reports.service import EARLIEST, ReportService
from domain.reports.session_metrics import MetricsRequest, session_metrics
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.partitions import ensure_months
from infra.postgres.pool import Pool
from infra.postgres.repositories.orders import PostgresOrders
from tests.support.fill_ledgers import BUY, ETH, ETH_BTC, MARKETS, SELL
from tests.support.orders import BTC, D, a_market
from tests.support.reporting import (
    END,
    START,
    computed_result,
    hour,
    job_and_result,
    report_worker,
    request_report,
    set_account_opening,
    set_balances,
    set_unexplained_balances,
    store_candles,
    store_fills,
    store_minute_candles,
    store_transfer,
)
from tests.support.trading import World

LATE = START + timedelta(days=3, hours=23)


async def test_a_report_of_an_account_leaves_out_what_came_after_and_knows_what_came_before(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    # Bought before the period, sold within; bought and sold again after it.
    await store_fills(database, world, (hour(-5), BUY, 1, 100), (hour(3), SELL, 1, 130), (hour(50), BUY, 2, 90))
    await set_balances(database, world, USDT=850, BTC=2, DOGE=7)
    await store_minute_candles(database, pool, (hour(-0.1), 110), (hour(1), 120), (hour(23.9), 140))
    result = await computed_result(database, service, world)

    (trip,) = result.round_trips
    assert (trip.opened_at, trip.closed_at, trip.profit, trip.exit_reason) == (hour(-5), hour(3), D(30), "EXIT")
    assert result.metrics.start_equity == 900 + 110
    assert result.metrics.end_equity == 1030
    assert result.metrics.turnover == 130
    assert [(point.at, point.equity) for point in result.equity_curve] == [
        (START, D(1010)), (hour(1), D(1020)), (hour(3), D(1030)), (hour(23.9), D(1030)),
        (END, D(1030)),
    ]  # fmt: skip


async def test_a_deposit_counts_from_its_moment_on_and_changes_no_return(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    await store_fills(database, world, (hour(1), BUY, 1, 100))
    await set_balances(database, world, USDT=900, BTC=1)
    await store_minute_candles(database, pool, (hour(-0.1), 100), (hour(2), 120), (hour(10), 110), (hour(20), 130))
    before = await computed_result(database, service, world)
    assert (before.metrics.start_equity, before.metrics.end_equity) == (1000, 1030)

    # After the last price, so that nothing more is earned with it; and 5 more after the period.
    await store_transfer(database, world, hour(21), "USDT", 9000)
    await store_transfer(database, world, hour(30), "USDT", 5)
    await set_balances(database, world, USDT=9905, BTC=1)
    after = await computed_result(database, service, world)

    same = (
        "start_equity",
        "net_profit",
        "net_profit_percent",
        "max_drawdown",
        "max_drawdown_percent",
        "max_drawdown_days",
    )
    assert [getattr(after.metrics, name) for name in same] == [getattr(before.metrics, name) for name in same]
    assert (after.metrics.net_deposits, after.metrics.end_equity) == (9000, 10030)
    assert [point.equity for point in after.equity_curve if point.at < hour(21)] == [
        point.equity for point in before.equity_curve[:-1]
    ]


async def test_a_balance_that_nothing_explains_yet_is_named_and_changes_no_figure(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    await store_fills(database, world, (hour(1), BUY, 1, 100))
    await set_balances(database, world, USDT=900, BTC=1)
    await store_minute_candles(database, pool, (hour(-0.1), 100), (hour(2), 120), (hour(10), 110), (hour(20), 130))
    before = await computed_result(database, service, world)

    await set_unexplained_balances(database, world, USDT=9900, BTC="0.9")
    after = await computed_result(database, service, world)
    assert replace(after.metrics, notes=()) == replace(before.metrics, notes=())
    assert after.equity_curve == before.equity_curve
    unexplained = [note for note in after.metrics.notes if note.code == "BALANCE_UNEXPLAINED"]
    assert [(note.subject, note.message.partition(" what")[0]) for note in unexplained] == [
        ("BTC", "The balance of BTC is now 0.1 below"), ("USDT", "The balance of USDT is now 9000 above"),
    ]  # fmt: skip
    assert [note for note in before.metrics.notes if note.code == "BALANCE_UNEXPLAINED"] == []


async def test_what_is_committed_while_a_report_is_read_changes_nothing_of_it(
    database: PostgresDatabase, service: ReportService, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store_fills(database, world, (hour(1), BUY, 1, 100))
    await set_balances(database, world, USDT=900, BTC=1)
    before = await computed_result(database, service, world)

    list_all_fills = PostgresOrders.list_all_fills

    async def then_money_moves(orders: PostgresOrders, *asked: object) -> object:
        found = await list_all_fills(orders, *asked)  # type: ignore[arg-type]
        await store_fills(database, world, (hour(2), SELL, 1, 500))
        await store_transfer(database, world, hour(-1), "USDT", 9000)
        await set_unexplained_balances(database, world, USDT=10_400)
        return found

    report = await request_report(service, world)
    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(PostgresOrders, "list_all_fills", then_money_moves)
        assert await report_worker(database).work_once()
    assert (await job_and_result(database, report))[1] == before
    later = await computed_result(database, service, world)
    assert (later.metrics.start_equity, later.metrics.end_equity) == (10_000, 10_400)


async def test_what_was_traded_on_a_market_that_is_listed_no_more_is_held_from_the_start(
    database: PostgresDatabase, service: ReportService, world: World
) -> None:
    await store_fills(database, world, (hour(1), BUY, 1, 100), (hour(2), SELL, 1, 130))
    await set_balances(database, world, USDT=1030)
    report = await request_report(service, world)
    assert await report_worker(database, dict).work_once()
    _, result = await job_and_result(database, report)
    assert result is not None
    assert (result.metrics.start_equity, result.metrics.end_equity, result.metrics.turnover) == (1030, 1030, 0)
    assert {"MARKET_UNKNOWN"} == {note.code for note in result.metrics.notes} - {"PERIOD_TOO_SHORT"}


async def test_coins_that_are_paid_in_count_at_their_price_of_that_moment(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    await store_transfer(database, world, hour(10), "BTC", 2)
    await store_transfer(database, world, hour(15), "USDT", -400, "WITHDRAWAL")
    await set_balances(database, world, USDT=600, BTC=2)
    await store_minute_candles(database, pool, (hour(-0.1), 50), (hour(9), 100), (hour(20), 90))
    result = await computed_result(database, service, world)

    assert [(point.at, point.equity, point.net_deposits) for point in result.equity_curve] == [
        (START, 1000, 0), (hour(9), 1000, 0), (hour(10), 1200, 200), (hour(15), 800, -200), (hour(20), 780, -200),
        (END, 780, -200),
    ]  # fmt: skip
    assert (result.metrics.net_profit, result.metrics.net_deposits) == (-20, -200)
    assert result.metrics.net_profit_percent == pytest.approx(-2.5)


async def test_a_report_from_before_the_account_was_opened_begins_with_nothing_and_its_opening_is_paid_in(
    database: PostgresDatabase, service: ReportService, world: World
) -> None:
    await store_transfer(database, world, hour(5), "USDT", 1000, "OPENING")
    await set_balances(database, world, USDT=1000)
    result = await computed_result(database, service, world)
    assert (result.metrics.start_equity, result.metrics.net_deposits, result.metrics.net_profit) == (0, 1000, 0)
    assert result.metrics.net_profit_percent == 0
    whole = await computed_result(database, service, world, start=hour(5))
    assert (whole.metrics.start_equity, whole.metrics.net_deposits) == (1000, 0)


async def test_however_long_before_the_account_a_report_begins_its_figures_are_those_of_the_accounts_life(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    await set_account_opening(
        pool, world, hour(6)
    )  # later than what it began with, which the earlier of the two decides
    await store_transfer(database, world, hour(5), "BTC", 2, "OPENING")
    await store_transfer(database, world, hour(5.2), "USDT", 1000, "OPENING")
    await store_transfer(database, world, hour(40.8), "BTC", 1, "ADJUSTMENT")
    await set_balances(database, world, USDT=1000, BTC=3)
    day, month = timedelta(days=1), timedelta(days=30)
    await store_candles(
        database, pool, Timeframe.M1, (hour(4.9), 100), (hour(40.1), 140), (hour(40.75), 150), (hour(41), 160)
    )
    await store_candles(database, pool, Timeframe.H1, (hour(-2), 60), (hour(4), 80), (hour(40), 130))

    before = [START, START - day, START - month, START - 40 * month, EARLIEST]
    results = [await computed_result(database, service, world, start=start, end=LATE) for start in before]
    figures = results[0].metrics
    assert (figures.net_deposits, figures.net_profit) == (200 + 1000 + 150, 2 * 60 + 10)
    assert {result.metrics for result in results} == {figures}
    assert {result.equity_curve for result in results} == {results[0].equity_curve}
    assert results[0].equity_curve[0].at == hour(5)


async def test_coins_that_are_paid_into_an_old_account_count_at_the_price_of_their_minute(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    await store_transfer(database, world, START - timedelta(days=5 * 365), "USDT", 1000, "OPENING")
    await store_transfer(database, world, hour(10.55), "BTC", 1)
    await store_candles(
        database, pool, Timeframe.M1, (hour(10.1), 100), (hour(10.5), 150), (hour(10.6), 170), (hour(23), 200)
    )
    result = await computed_result(database, service, world, start=EARLIEST)
    assert (result.metrics.net_deposits, result.metrics.net_profit) == (1000 + 150, 50)
    assert len(result.equity_curve) < MARKS_PER_MARKET


async def test_a_period_that_ends_before_the_account_was_opened_is_even(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    await set_account_opening(pool, world, hour(30))
    await store_transfer(database, world, hour(30), "BTC", 1, "OPENING")
    result = await computed_result(database, service, world)
    assert [(point.at, point.equity) for point in result.equity_curve] == [(END, 0)]
    assert (result.metrics.net_profit, result.metrics.net_profit_percent) == (0, None)


async def test_a_report_of_a_session_begins_with_its_equity_even_in_its_middle(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    session = replace(world.session, start_equity=D(500))
    async with database.transaction() as transaction:
        await transaction.trading_sessions.save(session)
    async with database.transaction() as transaction:
        for number, (at, side, price) in enumerate([(hour(1), BUY, 100), (hour(5), SELL, 120)]):
            order = world.order(side=side, created_at=at, trading_session_id=session.id, status=OrderStatus.FILLED)
            await transaction.orders.add(order)
            amount = {"price": D(price), "quantity": D(1), "fee": D(0), "fee_currency": "USDT"}
            assert await transaction.orders.add_fill(world.fill(order, at=at, venue_trade_id=str(number), **amount))
    await store_fills(database, world, (hour(2), BUY, 9, 100))  # by hand, on the same account
    await store_minute_candles(database, pool, (hour(1.9), 110), (hour(20), 300))

    whole = await computed_result(database, service, world, scope=ReportScope.TRADING_SESSION)
    assert (whole.metrics.start_equity, whole.metrics.end_equity) == (D(500), D(520))
    late = await computed_result(database, service, world, scope=ReportScope.TRADING_SESSION, start=hour(2))
    assert (late.metrics.start_equity, late.metrics.end_equity, late.metrics.turnover) == (D(510), D(520), D(120))
    assert [trip.profit for trip in late.round_trips] == [D(20)]


@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.M5, Timeframe.H1, Timeframe.H4, Timeframe.D1])
async def test_candles_of_any_one_timeframe_are_prices_enough(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World, timeframe: Timeframe
) -> None:
    await set_balances(database, world, BTC=10)
    midnight = START.replace(hour=0)
    days = [midnight + timedelta(days=number) for number in range(5)]
    await store_candles(database, pool, timeframe, *((at, 100 + number) for number, at in enumerate(days)))
    result = await computed_result(database, service, world, end=LATE)

    assert result.metrics.start_equity == 1000
    within = [(day, D(1000 + 10 * number)) for number, day in enumerate(days) if START < day < LATE]
    assert [(point.at, point.equity) for point in result.equity_curve[1:-1]] == within
    assert result.metrics.end_equity == within[-1][1]
    assert "PRICE_MISSING" not in {note.code for note in result.metrics.notes}


async def test_candles_of_several_timeframes_complete_each_other(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    await set_balances(database, world, BTC=10)
    await store_candles(database, pool, Timeframe.H1, (hour(-30), 90), (hour(5), 105), (hour(6), 106))
    await store_candles(database, pool, Timeframe.M1, (hour(7.5), 107), (hour(50.5), 150))
    await store_candles(database, pool, Timeframe.H4, (hour(28), 128))
    result = await computed_result(database, service, world, end=LATE)

    assert [(point.at, point.equity) for point in result.equity_curve] == [
        (START, 900), (hour(5), 1050), (hour(6), 1060), (hour(7.5), 1070), (hour(28), 1280), (hour(50.5), 1500),
        (LATE, 1500),
    ]  # fmt: skip
    stale = [note for note in result.metrics.notes if note.code == "PRICE_STALE"]
    assert [(note.subject, note.from_, note.to) for note in stale] == [(str(BTC), hour(50.5), LATE)]


async def test_a_holding_is_priced_over_as_many_markets_as_it_needs(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    await set_balances(database, world, ETH=10)
    await store_candles(database, pool, Timeframe.H1, (hour(-1), "0.05"), (hour(2), "0.06"), market=ETH_BTC)
    await store_minute_candles(database, pool, (hour(-0.1), 1000), (hour(1), 2000))
    result = await computed_result(database, service, world)
    assert [(point.at, point.equity) for point in result.equity_curve] == [
        (START, 500), (hour(1), 1000), (hour(2), 1200), (END, 1200),
    ]  # fmt: skip
    assert {note.code for note in result.metrics.notes} == {"PERIOD_TOO_SHORT"}


async def test_what_has_no_price_is_named_and_returns_are_null_if_it_lasted_over_a_day(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    await set_balances(database, world, USDT=100, ETH=10)
    await store_minute_candles(database, pool, (hour(-0.1), 1000), (hour(1), 2000))
    nothing = await computed_result(database, service, world)
    assert (nothing.metrics.start_equity, nothing.metrics.end_equity) == (100, 100)
    assert (nothing.metrics.net_profit_percent, nothing.metrics.cagr, nothing.metrics.sharpe) == (None, None, None)
    (missing,) = [note for note in nothing.metrics.notes if note.code == "PRICE_MISSING"]
    assert (missing.subject, missing.from_, missing.to) == ("ETH", START, END)

    await store_candles(database, pool, Timeframe.H1, (hour(30), 30), (hour(40), 40), market=ETH)
    later = await computed_result(database, service, world, end=LATE)
    (missing,) = [note for note in later.metrics.notes if note.code == "PRICE_MISSING"]
    assert (missing.from_, missing.to) == (START, hour(30))
    assert (later.metrics.start_equity, later.metrics.end_equity, later.metrics.net_profit) == (400, 500, 100)
    assert later.metrics.net_profit_percent is None


async def test_a_coin_that_no_market_leads_from_is_named_and_spoils_nothing(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    await set_balances(database, world, BTC=10, LDBNB=3)
    await store_minute_candles(database, pool, (hour(-0.1), 100), (hour(1), 110))
    result = await computed_result(database, service, world)
    assert result.metrics.net_profit_percent == pytest.approx(10)
    (unpriceable,) = [note for note in result.metrics.notes if note.code == "NO_MARKET"]
    assert unpriceable.subject == "LDBNB"


async def test_a_coin_of_a_delisted_market_spoils_nothing_unless_its_price_is_stored(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    luna = MarketSymbol("sandbox", "LUNA/USDT")
    markets = {**MARKETS, luna: a_market(symbol=luna, base="LUNA", active=False)}
    await set_balances(database, world, BTC=10, LUNA=5)
    await store_minute_candles(database, pool, (hour(-0.1), 100), (hour(1), 110))
    worthless = await computed_result(database, service, world, markets=markets)
    assert worthless.metrics.net_profit_percent == pytest.approx(10)
    assert [note.subject for note in worthless.metrics.notes if note.code == "NO_MARKET"] == ["LUNA"]
    assert "PRICE_MISSING" not in {note.code for note in worthless.metrics.notes}

    await store_candles(database, pool, Timeframe.H1, (hour(-1), 200), market=luna)
    priced = await computed_result(database, service, world, markets=markets)
    assert priced.metrics.start_equity == 2000
    assert priced.metrics.net_profit_percent == pytest.approx(5)
    assert "NO_MARKET" not in {note.code for note in priced.metrics.notes}


async def test_excursions_are_those_of_fills_and_of_candles_within_a_round_trip_or_around_a_short_one(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    await store_fills(
        database,
        world,
        (hour(1), BUY, 1, 100),
        (hour(3), SELL, 1, 110),
        (hour(5), BUY, 1, 100),
        (hour(5.01), SELL, 1, 90),
        (hour(7), BUY, 1, 100),
        (hour(7.005), SELL, 1, 101),
    )
    await set_balances(database, world, USDT=1000)
    rows = [(hour(1), 50, 200), (hour(1.5), 96, 104), (hour(2), 99, 125), (hour(3.5), 10, 300)]
    minute = timedelta(minutes=1)
    rows += [(hour(7), 10, 300), (hour(7) + minute, 97, 106), (hour(7) + 2 * minute, 10, 300)]
    stored = [
        Candle(BTC, Timeframe.M1, close - minute, D(100), D(high), D(low), D(100), D(1), closed=True)
        for close, low, high in rows
    ]
    async with pool.acquire() as driver:
        await ensure_months(Connection(driver), "candles", START, END)
    async with database.transaction() as transaction:
        await transaction.market_data.upsert_candles(stored)
    result = await computed_result(database, service, world)
    assert [(trip.max_adverse_excursion, trip.max_favorable_excursion) for trip in result.round_trips] == [
        (pytest.approx(4), pytest.approx(25)), (pytest.approx(10), 0), (pytest.approx(3), pytest.approx(6)),
    ]  # fmt: skip


async def test_the_figures_of_a_stopped_session_move_no_more_and_are_those_of_its_report(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    stopped = hour(3)
    session = replace(world.session, started_at=START, start_equity=D(500), stopped_at=stopped)
    async with database.transaction() as transaction:
        await transaction.trading_sessions.save(session)
        # The last fill is dated a moment after the stop, by the venue's clock, and leaves dust.
        for side, quantity, at in ((BUY, "1.00000001", hour(1)), (SELL, 1, stopped + timedelta(seconds=2))):
            order = world.order(side=side, created_at=hour(1), trading_session_id=session.id)
            await transaction.orders.add(order)
            amount = {"price": D(100), "quantity": D(quantity), "fee": D(0), "fee_currency": "USDT"}
            assert await transaction.orders.add_fill(world.fill(order, at=at, **amount))
    await store_minute_candles(
        database, pool, (hour(-0.1), 100), (stopped + timedelta(minutes=1), 10**9), (hour(20), 10**12)
    )

    async def figures(after_stop: timedelta) -> PerformanceMetrics | None:
        async with database.read_only() as reading:
            return await session_metrics(reading, MetricsRequest(session, (MARKETS[BTC],), stopped + after_stop))

    early, late = await figures(timedelta(seconds=10)), await figures(timedelta(hours=10))
    assert early == late
    assert early is not None
    report = await computed_result(database, service, world, scope=ReportScope.TRADING_SESSION, end=hour(21))
    assert report.metrics == early
    assert report.equity_curve[-1].at == stopped + timedelta(seconds=2)


async def test_a_session_whose_equity_at_the_start_is_not_known_has_no_return_and_a_note(
    database: PostgresDatabase, service: ReportService, world: World
) -> None:
    async with database.transaction() as transaction:
        await transaction.trading_sessions.save(replace(world.session, start_equity=None))
    result = await computed_result(database, service, world, scope=ReportScope.TRADING_SESSION)
    assert result.metrics.net_profit_percent is None
    assert "START_UNKNOWN" in {note.code for note in result.metrics.notes}
