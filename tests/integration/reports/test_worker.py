import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.errors import ErrorCode, InputError
from domain.events import UserEventKind
from domain.markets.types import Candle, Market, MarketSymbol, Timeframe
from domain.orders.side import OrderSide
from domain.orders.types import Fill, OrderRole, OrderStatus
from domain.reports import worker as worker_module
from domain.reports.service import JOB_KIND, ReportRequest, ReportService
from domain.reports.session_metrics import MetricsRequest, session_metrics
from domain.reports.types import Job, JobStatus, PerformanceMetrics, Report, ReportResult, ReportScope
from domain.reports.worker import ReportWorker
from domain.trading.types import AccountTransfer, Balance, TransferKind
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.postgres.connection import Connection
from infra.postgres.partitions import ensure_months
from infra.postgres.pool import Pool
from infra.postgres.storage import PostgresStorage
from tests.support.ledgers import BUY, ETH, ETH_BTC, MARKETS, SELL
from tests.support.orders import BTC, D
from tests.support.trading import World, new_id, stored_world

START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=4)
END = START + timedelta(days=1)


@pytest.fixture
async def world(pool: Pool) -> World:
    async with pool.acquire() as driver:
        return await stored_world(Connection(driver))


@pytest.fixture
def service(storage: PostgresStorage) -> ReportService:
    return ReportService(storage, EmbeddedBus(), SystemClock(), TimeOrderedIds())


def a_worker(
    storage: PostgresStorage,
    markets: Callable[[], Mapping[MarketSymbol, Market]] = lambda: MARKETS,
    name: str = "one",
    lease_seconds: float = 30.0,
) -> ReportWorker:
    return ReportWorker(storage, EmbeddedBus(), SystemClock(), name, markets, lease_seconds)


async def trade(storage: PostgresStorage, world: World, *rows: tuple[datetime, OrderSide, object, object]) -> None:
    """Store an order with its fill for each row (time, side, quantity, price)."""
    async with storage.transaction() as transaction:
        for at, side, quantity, price in rows:
            role = OrderRole.ENTRY if side is BUY else OrderRole.EXIT
            order = world.order(side=side, role=role, created_at=at, status=OrderStatus.FILLED)
            await transaction.orders.add(order)
            amount = {"price": D(str(price)), "quantity": D(str(quantity)), "fee": D(0), "fee_currency": "USDT"}
            assert await transaction.orders.add_fill(world.fill(order, at=at, **amount))


async def hold(storage: PostgresStorage, world: World, **balances: object) -> None:
    told = [Balance(currency, D(str(amount)), D(str(amount))) for currency, amount in balances.items()]
    async with storage.transaction() as transaction:
        await transaction.accounts.save_balances(world.account.id, told, all_of_them=True)


async def minutes(storage: PostgresStorage, pool: Pool, *rows: tuple[datetime, object]) -> None:
    """Store closed one-minute candles of rows (close time, close)."""
    candles = [
        Candle(BTC, Timeframe.M1, at - timedelta(minutes=1), *[D(str(price))] * 4, D(1), closed=True)
        for at, price in rows
    ]
    async with pool.acquire() as driver:
        await ensure_months(Connection(driver), "candles", rows[0][0], rows[-1][0])
    async with storage.transaction() as transaction:
        await transaction.market_data.save_candles(candles)


async def ask(
    service: ReportService, world: World, start: datetime = START, end: datetime = END, scope: ReportScope | None = None
) -> Report:
    wanted = scope or ReportScope.ACCOUNT
    scope_id = world.session.id if wanted is ReportScope.TRADING_SESSION else world.account.id
    return await service.generate(world.user.id, ReportRequest(wanted, scope_id, start, end), None)


async def outcome(storage: PostgresStorage, report: Report) -> tuple[Job, ReportResult | None]:
    async with storage.reading() as reading:
        job = await reading.reports.job(report.user_id, report.job_id)
        assert job is not None
        return job, await reading.reports.result(report.id)


async def told(storage: PostgresStorage, service: ReportService, world: World, **asked: object) -> ReportResult:
    report = await ask(service, world, **asked)  # type: ignore[arg-type]
    assert await a_worker(storage).work_once()
    job, result = await outcome(storage, report)
    assert job.status is JobStatus.SUCCEEDED, job.message
    assert result is not None
    return result


def hour(number: float) -> datetime:
    return START + timedelta(hours=number)


async def test_a_report_of_an_account_undoes_what_came_after_and_knows_what_came_before(
    storage: PostgresStorage, pool: Pool, service: ReportService, world: World
) -> None:
    # Bought before the period, sold within; bought and sold again after it.
    await trade(storage, world, (hour(-5), BUY, 1, 100), (hour(3), SELL, 1, 130), (hour(50), BUY, 2, 90))
    await hold(storage, world, USDT=850, BTC=2, DOGE=7)
    await minutes(storage, pool, (hour(-0.1), 110), (hour(1), 120), (hour(23.9), 140))
    result = await told(storage, service, world)

    (trip,) = result.round_trips
    assert (trip.opened_at, trip.closed_at, trip.profit, trip.exit_reason) == (hour(-5), hour(3), D(30), "EXIT")
    assert result.metrics.start_equity == 900 + 110
    assert result.metrics.end_equity == 1030
    assert result.metrics.turnover == 130
    assert [(point.at, point.equity) for point in result.equity_curve] == [
        (START, D(1010)), (hour(1), D(1020)), (hour(3), D(1030)), (hour(23.9), D(1030)),
        (END, D(1030)),
    ]  # fmt: skip


async def transfer(
    storage: PostgresStorage, world: World, at: datetime, currency: str, amount: object, kind: str = "DEPOSIT"
) -> None:
    moved = AccountTransfer(
        new_id(), world.user.id, world.account.id, TransferKind(kind), currency, D(str(amount)), at, str(at)
    )
    async with storage.transaction() as transaction:
        assert await transaction.transfers.add(moved)


async def test_a_deposit_counts_from_its_moment_on_and_changes_no_return(
    storage: PostgresStorage, pool: Pool, service: ReportService, world: World
) -> None:
    await trade(storage, world, (hour(1), BUY, 1, 100))
    await hold(storage, world, USDT=900, BTC=1)
    await minutes(storage, pool, (hour(-0.1), 100), (hour(2), 120), (hour(10), 110), (hour(20), 130))
    before = await told(storage, service, world)
    assert (before.metrics.start_equity, before.metrics.end_equity) == (1000, 1030)

    # After the last price, so that nothing more is earned with it; and 5 more after the period.
    await transfer(storage, world, hour(21), "USDT", 9000)
    await transfer(storage, world, hour(30), "USDT", 5)
    await hold(storage, world, USDT=9905, BTC=1)
    after = await told(storage, service, world)

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


async def test_coins_that_are_paid_in_count_at_their_price_of_that_moment(
    storage: PostgresStorage, pool: Pool, service: ReportService, world: World
) -> None:
    await transfer(storage, world, hour(10), "BTC", 2)
    await transfer(storage, world, hour(15), "USDT", -400, "WITHDRAWAL")
    await hold(storage, world, USDT=600, BTC=2)
    await minutes(storage, pool, (hour(-0.1), 50), (hour(9), 100), (hour(20), 90))
    result = await told(storage, service, world)

    assert [(point.at, point.equity, point.net_deposits) for point in result.equity_curve] == [
        (START, 1000, 0), (hour(9), 1000, 0), (hour(10), 1200, 200), (hour(15), 800, -200), (hour(20), 780, -200),
        (END, 780, -200),
    ]  # fmt: skip
    assert (result.metrics.net_profit, result.metrics.net_deposits) == (-20, -200)
    assert result.metrics.net_profit_percent == pytest.approx(-2.5)


async def test_a_report_from_before_the_account_was_opened_begins_with_nothing_and_its_opening_is_paid_in(
    storage: PostgresStorage, service: ReportService, world: World
) -> None:
    await transfer(storage, world, hour(5), "USDT", 1000, "OPENING")
    await hold(storage, world, USDT=1000)
    result = await told(storage, service, world)
    assert (result.metrics.start_equity, result.metrics.net_deposits, result.metrics.net_profit) == (0, 1000, 0)
    assert result.metrics.net_profit_percent == 0
    whole = await told(storage, service, world, start=hour(5))
    assert (whole.metrics.start_equity, whole.metrics.net_deposits) == (1000, 0)


async def test_a_report_of_a_session_begins_with_its_equity_even_in_its_middle(
    storage: PostgresStorage, pool: Pool, service: ReportService, world: World
) -> None:
    session = replace(world.session, start_equity=D(500))
    async with storage.transaction() as transaction:
        await transaction.trading_sessions.save(session)
    async with storage.transaction() as transaction:
        for number, (at, side, price) in enumerate([(hour(1), BUY, 100), (hour(5), SELL, 120)]):
            order = world.order(side=side, created_at=at, trading_session_id=session.id, status=OrderStatus.FILLED)
            await transaction.orders.add(order)
            amount = {"price": D(price), "quantity": D(1), "fee": D(0), "fee_currency": "USDT"}
            assert await transaction.orders.add_fill(world.fill(order, at=at, venue_trade_id=str(number), **amount))
    await trade(storage, world, (hour(2), BUY, 9, 100))  # by hand, on the same account
    await minutes(storage, pool, (hour(1.9), 110), (hour(20), 300))

    whole = await told(storage, service, world, scope=ReportScope.TRADING_SESSION)
    assert (whole.metrics.start_equity, whole.metrics.end_equity) == (D(500), D(520))
    late = await told(storage, service, world, scope=ReportScope.TRADING_SESSION, start=hour(2))
    assert (late.metrics.start_equity, late.metrics.end_equity, late.metrics.turnover) == (D(510), D(520), D(120))
    assert [trip.profit for trip in late.round_trips] == [D(20)]


async def test_an_account_without_a_fill_has_an_even_report(
    storage: PostgresStorage, service: ReportService, world: World
) -> None:
    await hold(storage, world, USDT=1000)
    result = await told(storage, service, world)
    assert [(point.at, point.equity) for point in result.equity_curve] == [(START, D(1000)), (END, D(1000))]
    assert (result.metrics.net_profit, result.round_trips) == (D(0), ())


async def test_what_cannot_be_reported_on_is_told(
    storage: PostgresStorage, service: ReportService, world: World, pool: Pool
) -> None:
    async def code(request: ReportRequest, user: World = world) -> ErrorCode:
        with pytest.raises(InputError) as refused:
            await service.generate(user.user.id, request, None)
        return refused.value.code

    account, session = world.account.id, world.session.id
    async with pool.acquire() as driver:
        stranger = await stored_world(Connection(driver))
    assert await code(ReportRequest(ReportScope.ACCOUNT, session)) is ErrorCode.NOT_FOUND
    assert await code(ReportRequest(ReportScope.TRADING_SESSION, account)) is ErrorCode.NOT_FOUND
    assert await code(ReportRequest(ReportScope.ACCOUNT, account), stranger) is ErrorCode.NOT_FOUND
    assert await code(ReportRequest(ReportScope.STRATEGY, account)) is ErrorCode.UNSUPPORTED
    assert await code(ReportRequest(ReportScope.ACCOUNT, account, END, START)) is ErrorCode.INVALID
    future = SystemClock().now() + timedelta(days=1)
    assert await code(ReportRequest(ReportScope.ACCOUNT, account, future)) is ErrorCode.INVALID
    assert not await a_worker(storage).work_once()


async def test_the_same_key_asks_for_the_same_report(
    storage: PostgresStorage, service: ReportService, world: World
) -> None:
    request = ReportRequest(ReportScope.ACCOUNT, world.account.id, START, END)
    asked = [service.generate(world.user.id, request, "key") for _ in range(4)]
    assert len({report.id for report in await asyncio.gather(*asked)}) == 1

    with pytest.raises(InputError) as refused:
        await service.generate(world.user.id, replace(request, end=START + timedelta(hours=1)), "key")
    assert refused.value.code is ErrorCode.CONFLICT
    assert await a_worker(storage).work_once()
    assert not await a_worker(storage).work_once()


async def test_the_log_tells_of_the_job_and_of_the_report(
    storage: PostgresStorage, service: ReportService, world: World
) -> None:
    await told(storage, service, world)
    async with storage.reading() as reading:
        events = await reading.events.after(world.user.id, 0, None, 10)
    kinds = UserEventKind
    assert [event.kind for event in events] == [kinds.JOB, kinds.ACTIVITY, kinds.JOB, kinds.REPORT]
    assert [event.message for event in events if event.kind is kinds.JOB] == ["QUEUED", "SUCCEEDED"]


async def test_a_fault_ends_its_job_with_a_message_that_leaks_nothing_and_is_logged_once(
    storage: PostgresStorage, service: ReportService, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def spoilt() -> Mapping[MarketSymbol, Market]:
        raise ZeroDivisionError("postgresql://r3edge:hunter2@db")

    report = await ask(service, world)
    with caplog.at_level(logging.INFO):
        assert await a_worker(storage, spoilt).work_once()

    job, result = await outcome(storage, report)
    assert (job.status, result) == (JobStatus.FAILED, None)
    assert "hunter2" not in str(job)
    assert [record.exc_info is not None for record in caplog.records] == [True]
    # The worker goes on with the next one.
    await told(storage, service, world)


@asynccontextmanager
async def running(worker: ReportWorker) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(worker.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def finished(storage: PostgresStorage, report: Report) -> Job:
    async with asyncio.timeout(60):
        while True:
            job, _ = await outcome(storage, report)
            if job.status.is_final:
                return job
            await asyncio.sleep(0.02)


async def test_a_worker_that_runs_takes_what_is_asked_for(
    storage: PostgresStorage, service: ReportService, world: World
) -> None:
    async with running(a_worker(storage)):
        jobs = [await finished(storage, await ask(service, world)) for _ in range(2)]
    assert [(job.status, job.progress, job.message) for job in jobs] == [
        (JobStatus.SUCCEEDED, 1.0, "0 round trips")
    ] * 2


async def test_a_worker_that_dies_leaves_its_job_to_the_next(
    storage: PostgresStorage, service: ReportService, world: World
) -> None:
    report = await ask(service, world)
    async with storage.transaction() as transaction:
        assert await transaction.reports.claim_job((JOB_KIND,), "dead", 0.3)
    assert not await a_worker(storage).work_once()
    async with running(a_worker(storage)):
        assert (await finished(storage, report)).status is JobStatus.SUCCEEDED


async def test_a_worker_keeps_its_job_for_as_long_as_it_works_and_stops_when_it_is_cancelled(
    storage: PostgresStorage, service: ReportService, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on, at_it = asyncio.Event(), asyncio.Event()
    real = worker_module.computed

    async def slowly(data: object) -> ReportResult:
        at_it.set()
        await go_on.wait()
        return await real(data)  # type: ignore[arg-type]

    monkeypatch.setattr(worker_module, "computed", slowly)
    report = await ask(service, world)
    async with running(a_worker(storage, lease_seconds=0.3)):
        await at_it.wait()
        await asyncio.sleep(0.7)  # more than two leases, in which the other one must not get it
        assert not await a_worker(storage, name="other").work_once()
        job, _ = await outcome(storage, report)
        assert (job.status, job.progress) == (JobStatus.RUNNING, 0.5)
        async with storage.transaction() as transaction:
            await transaction.reports.finish_job(job.id, JobStatus.CANCELED, None, SystemClock().now())
        go_on.set()
        assert (await finished(storage, await ask(service, world))).status is JobStatus.SUCCEEDED
    job, result = await outcome(storage, report)
    assert (job.status, result) == (JobStatus.CANCELED, None)


async def test_a_big_ledger_holds_nobody_else_up(
    storage: PostgresStorage, pool: Pool, service: ReportService, world: World
) -> None:
    order = world.order(status=OrderStatus.FILLED)
    fills = [_big(world, order.id, number) for number in range(20_000)]
    async with storage.transaction() as transaction:
        await transaction.orders.add(order)
    async with pool.acquire() as driver:
        columns = [row[0] for row in await driver.fetch(_COLUMNS)]
        records = [tuple(_column(fill, column) for column in columns) for fill in fills]
        await driver.copy_records_to_table("fills", records=records, columns=columns)
    await hold(storage, world, USDT=1000)
    report = await ask(service, world)

    # The loop's thread is held up by what that thread itself computes, whatever else the machine does.
    everything, longest, last = time.process_time(), 0.0, time.thread_time()
    async with running(a_worker(storage)):
        while not (await outcome(storage, report))[0].status.is_final:
            await asyncio.sleep(0.005)
            now = time.thread_time()
            longest, last = max(longest, now - last), now
    everything = time.process_time() - everything
    job, result = await outcome(storage, report)
    assert (job.status, len(result.round_trips)) == (JobStatus.SUCCEEDED, 10_000)
    assert longest < everything / 3


_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = 'fills'::regclass AND attnum > 0 AND NOT attisdropped"


def _big(world: World, order_id: object, number: int) -> Fill:
    fill = world.fill(world.order(side=(BUY, SELL)[number % 2]))
    at = START + timedelta(seconds=number)
    return replace(fill, order_id=order_id, at=at, price=Decimal(100), quantity=D("0.1"), fee=D(0), fee_currency="USDT")


def _column(fill: Fill, column: str) -> object:
    return str(fill.market) if column == "market" else getattr(fill, column)


async def candles(
    storage: PostgresStorage,
    pool: Pool,
    timeframe: Timeframe,
    *rows: tuple[datetime, object],
    market: MarketSymbol = BTC,
) -> None:
    """Store closed candles of rows (close time, close)."""
    stored = [
        Candle(market, timeframe, at - timeframe.duration, *[D(str(price))] * 4, D(1), closed=True)
        for at, price in rows
    ]
    async with pool.acquire() as driver:
        await ensure_months(Connection(driver), "candles", stored[0].open_time, stored[-1].open_time)
    async with storage.transaction() as transaction:
        await transaction.market_data.save_candles(stored)


LATE = START + timedelta(days=3, hours=23)


@pytest.mark.parametrize("timeframe", [Timeframe.M1, Timeframe.M5, Timeframe.H1, Timeframe.H4, Timeframe.D1])
async def test_candles_of_any_one_timeframe_are_prices_enough(
    storage: PostgresStorage, pool: Pool, service: ReportService, world: World, timeframe: Timeframe
) -> None:
    await hold(storage, world, BTC=10)
    midnight = START.replace(hour=0)
    days = [midnight + timedelta(days=number) for number in range(5)]
    await candles(storage, pool, timeframe, *((at, 100 + number) for number, at in enumerate(days)))
    result = await told(storage, service, world, end=LATE)

    assert result.metrics.start_equity == 1000
    within = [(day, D(1000 + 10 * number)) for number, day in enumerate(days) if START < day < LATE]
    assert [(point.at, point.equity) for point in result.equity_curve[1:-1]] == within
    assert result.metrics.end_equity == within[-1][1]
    assert "PRICE_MISSING" not in {note.code for note in result.metrics.notes}


async def test_candles_of_several_timeframes_complete_each_other(
    storage: PostgresStorage, pool: Pool, service: ReportService, world: World
) -> None:
    await hold(storage, world, BTC=10)
    await candles(storage, pool, Timeframe.H1, (hour(-30), 90), (hour(5), 105), (hour(6), 106))
    await candles(storage, pool, Timeframe.M1, (hour(7.5), 107), (hour(50.5), 150))
    await candles(storage, pool, Timeframe.H4, (hour(28), 128))
    result = await told(storage, service, world, end=LATE)

    assert [(point.at, point.equity) for point in result.equity_curve] == [
        (START, 900), (hour(5), 1050), (hour(6), 1060), (hour(7.5), 1070), (hour(28), 1280), (hour(50.5), 1500),
        (LATE, 1500),
    ]  # fmt: skip
    stale = [note for note in result.metrics.notes if note.code == "PRICE_STALE"]
    assert [(note.subject, note.from_, note.to) for note in stale] == [(str(BTC), hour(50.5), LATE)]


async def test_a_holding_is_priced_over_as_many_markets_as_it_needs(
    storage: PostgresStorage, pool: Pool, service: ReportService, world: World
) -> None:
    await hold(storage, world, ETH=10)
    await candles(storage, pool, Timeframe.H1, (hour(-1), "0.05"), (hour(2), "0.06"), market=ETH_BTC)
    await minutes(storage, pool, (hour(-0.1), 1000), (hour(1), 2000))
    result = await told(storage, service, world)
    assert [(point.at, point.equity) for point in result.equity_curve] == [
        (START, 500), (hour(1), 1000), (hour(2), 1200), (END, 1200),
    ]  # fmt: skip
    assert {note.code for note in result.metrics.notes} == {"PERIOD_TOO_SHORT"}


async def test_what_has_no_price_is_named_and_no_return_is_told_where_it_lasted_over_a_day(
    storage: PostgresStorage, pool: Pool, service: ReportService, world: World
) -> None:
    await hold(storage, world, USDT=100, ETH=10)
    await minutes(storage, pool, (hour(-0.1), 1000), (hour(1), 2000))
    nothing = await told(storage, service, world)
    assert (nothing.metrics.start_equity, nothing.metrics.end_equity) == (100, 100)
    assert (nothing.metrics.net_profit_percent, nothing.metrics.cagr, nothing.metrics.sharpe) == (None, None, None)
    (missing,) = [note for note in nothing.metrics.notes if note.code == "PRICE_MISSING"]
    assert (missing.subject, missing.from_, missing.to) == ("ETH", START, END)

    await candles(storage, pool, Timeframe.H1, (hour(30), 30), (hour(40), 40), market=ETH)
    later = await told(storage, service, world, end=LATE)
    (missing,) = [note for note in later.metrics.notes if note.code == "PRICE_MISSING"]
    assert (missing.from_, missing.to) == (START, hour(30))
    assert (later.metrics.start_equity, later.metrics.end_equity, later.metrics.net_profit) == (400, 500, 100)
    assert later.metrics.net_profit_percent is None


async def test_a_coin_that_no_market_leads_from_is_named_and_spoils_nothing(
    storage: PostgresStorage, pool: Pool, service: ReportService, world: World
) -> None:
    await hold(storage, world, BTC=10, LDBNB=3)
    await minutes(storage, pool, (hour(-0.1), 100), (hour(1), 110))
    result = await told(storage, service, world)
    assert result.metrics.net_profit_percent == pytest.approx(10)
    (unpriceable,) = [note for note in result.metrics.notes if note.code == "NO_MARKET"]
    assert unpriceable.subject == "LDBNB"


async def test_excursions_are_those_of_the_candles_within_a_round_trip(
    storage: PostgresStorage, pool: Pool, service: ReportService, world: World
) -> None:
    await trade(
        storage,
        world,
        (hour(1), BUY, 1, 100),
        (hour(3), SELL, 1, 110),
        (hour(5), BUY, 1, 100),
        (hour(5.01), SELL, 1, 90),
    )
    await hold(storage, world, USDT=1000)
    rows = [(hour(1), 50, 200), (hour(1.5), 96, 104), (hour(2), 99, 125), (hour(3.5), 10, 300)]
    stored = [
        Candle(BTC, Timeframe.M1, close - timedelta(minutes=1), D(100), D(high), D(low), D(100), D(1), closed=True)
        for close, low, high in rows
    ]
    async with pool.acquire() as driver:
        await ensure_months(Connection(driver), "candles", START, END)
    async with storage.transaction() as transaction:
        await transaction.market_data.save_candles(stored)
    result = await told(storage, service, world)
    assert [(trip.max_adverse_excursion, trip.max_favorable_excursion) for trip in result.round_trips] == [
        (pytest.approx(4), pytest.approx(25)), (None, None),
    ]  # fmt: skip


async def test_the_figures_of_a_stopped_session_move_no_more_and_are_those_of_its_report(
    storage: PostgresStorage, pool: Pool, service: ReportService, world: World
) -> None:
    stopped = hour(3)
    session = replace(world.session, started_at=START, start_equity=D(500), stopped_at=stopped)
    async with storage.transaction() as transaction:
        await transaction.trading_sessions.save(session)
        # The last fill is dated a moment after the stop, by the venue's clock, and leaves dust.
        for side, quantity, at in ((BUY, "1.00000001", hour(1)), (SELL, 1, stopped + timedelta(seconds=2))):
            order = world.order(side=side, created_at=hour(1), trading_session_id=session.id)
            await transaction.orders.add(order)
            amount = {"price": D(100), "quantity": D(quantity), "fee": D(0), "fee_currency": "USDT"}
            assert await transaction.orders.add_fill(world.fill(order, at=at, **amount))
    await minutes(storage, pool, (hour(-0.1), 100), (stopped + timedelta(minutes=1), 10**9), (hour(20), 10**12))

    async def figures(after_stop: timedelta) -> PerformanceMetrics | None:
        async with storage.reading() as reading:
            return await session_metrics(reading, MetricsRequest(session, MARKETS[BTC], stopped + after_stop))

    early, late = await figures(timedelta(seconds=10)), await figures(timedelta(hours=10))
    assert early == late
    assert early is not None
    report = await told(storage, service, world, scope=ReportScope.TRADING_SESSION, end=hour(21))
    assert report.metrics == early
    assert report.equity_curve[-1].at == stopped + timedelta(seconds=2)


async def test_a_session_whose_equity_at_the_start_is_not_known_has_no_return_and_says_so(
    storage: PostgresStorage, service: ReportService, world: World
) -> None:
    async with storage.transaction() as transaction:
        await transaction.trading_sessions.save(replace(world.session, start_equity=None))
    result = await told(storage, service, world, scope=ReportScope.TRADING_SESSION)
    assert result.metrics.net_profit_percent is None
    assert "START_UNKNOWN" in {note.code for note in result.metrics.notes}
