import asyncio
import logging
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from domain.core.errors import ErrorCode, InputError
from domain.model.events import UserEventKind
from domain.model.jobs import JobStatus
from domain.model.markets import Market, MarketSymbol
from domain.model.orders import Fill, OrderStatus
from domain.model.plans import STANDARD_PLAN
from domain.model.reports import ReportScope
from domain.reports.request import ReportRequest
from domain.reports.service import EARLIEST, ReportService
from infra.clock import SystemClock
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.background import running
from tests.support.fill_ledgers import BUY, SELL
from tests.support.orders import D
from tests.support.reporting import (
    END,
    START,
    computed_result,
    job_and_result,
    report_worker,
    request_report,
    set_balances,
)
from tests.support.trading import World, stored_world


async def test_an_account_without_a_fill_has_an_even_report(
    database: PostgresDatabase, service: ReportService, world: World
) -> None:
    await set_balances(database, world, USDT=1000)
    result = await computed_result(database, service, world)
    assert [(point.at, point.equity) for point in result.equity_curve] == [(START, D(1000)), (END, D(1000))]
    assert (result.metrics.net_profit, result.round_trips) == (D(0), ())


async def test_what_cannot_be_reported_on_is_refused(
    database: PostgresDatabase, service: ReportService, world: World, pool: Pool
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
    assert await code(ReportRequest(ReportScope.STRATEGY, account)) is ErrorCode.NOT_FOUND
    assert await code(ReportRequest(ReportScope.ACCOUNT, account, END, START)) is ErrorCode.INVALID
    future = SystemClock().now() + timedelta(days=1)
    assert await code(ReportRequest(ReportScope.ACCOUNT, account, future)) is ErrorCode.INVALID
    assert not await report_worker(database).work_once()


@pytest.mark.parametrize(
    ("start", "end", "path"),
    [
        (EARLIEST - timedelta(microseconds=1), None, ("input", "from")),
        (datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))), END, ("input", "from")),
        (None, EARLIEST - timedelta(days=1), ("input", "to")),
        (END, START, ("input", "to")),
        (START, START, ("input", "to")),
        (datetime(9999, 12, 31, tzinfo=UTC), None, ("input", "from")),
    ],
)
async def test_a_period_that_cannot_be_is_refused_where_it_stands(
    service: ReportService, world: World, start: datetime | None, end: datetime | None, path: tuple[str, ...]
) -> None:
    with pytest.raises(InputError) as refused:
        await service.generate(world.user.id, ReportRequest(ReportScope.ACCOUNT, world.account.id, start, end), None)
    assert (refused.value.code, refused.value.path) == (ErrorCode.INVALID, path)


async def test_a_user_has_only_so_many_jobs_at_a_time_however_fast_they_are_asked_for(
    database: PostgresDatabase, service: ReportService, world: World, pool: Pool
) -> None:
    asked = [request_report(service, world) for _ in range(STANDARD_PLAN.max_open_jobs + 2)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    refused = [answer.code for answer in answers if isinstance(answer, InputError)]
    assert refused == [ErrorCode.LIMIT_REACHED] * 2
    async with pool.acquire() as driver:
        stranger = await stored_world(Connection(driver))
    await request_report(service, stranger)
    assert await report_worker(database).work_once()
    await request_report(service, world)


async def test_the_same_key_asks_for_the_same_report(
    database: PostgresDatabase, service: ReportService, world: World
) -> None:
    request = ReportRequest(ReportScope.ACCOUNT, world.account.id, START, END)
    asked = [service.generate(world.user.id, request, "key") for _ in range(4)]
    assert len({report.id for report in await asyncio.gather(*asked)}) == 1

    with pytest.raises(InputError) as refused:
        await service.generate(world.user.id, replace(request, end=START + timedelta(hours=1)), "key")
    assert refused.value.code is ErrorCode.CONFLICT
    assert await report_worker(database).work_once()
    assert not await report_worker(database).work_once()


async def test_the_log_has_the_events_of_the_job_and_of_the_report(
    database: PostgresDatabase, service: ReportService, world: World
) -> None:
    await computed_result(database, service, world)
    async with database.read_only() as reading:
        events = await reading.events.read_after(world.user.id, 0, None, 10)
    kinds = UserEventKind
    assert [event.kind for event in events] == [kinds.JOB, kinds.ACTIVITY, kinds.JOB, kinds.REPORT]
    assert [event.message for event in events if event.kind is kinds.JOB] == ["QUEUED", "SUCCEEDED"]


async def test_a_fault_ends_its_job_with_a_message_that_leaks_nothing_and_is_logged_once(
    database: PostgresDatabase, service: ReportService, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    def spoilt() -> Mapping[MarketSymbol, Market]:
        raise ZeroDivisionError("postgresql://r3edge:hunter2@db")

    report = await request_report(service, world)
    with caplog.at_level(logging.INFO):
        assert await report_worker(database, spoilt).work_once()

    job, result = await job_and_result(database, report)
    assert (job.status, result) == (JobStatus.FAILED, None)
    assert "hunter2" not in str(job)
    assert [record.exc_info is not None for record in caplog.records] == [True]
    # The worker goes on with the next one.
    await computed_result(database, service, world)


async def test_a_big_ledger_holds_nobody_else_up(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    order = world.order(status=OrderStatus.FILLED)
    fills = [_big(world, order.id, number) for number in range(20_000)]
    async with database.transaction() as transaction:
        await transaction.orders.add(order)
    async with pool.acquire() as driver:
        columns = [row[0] for row in await driver.fetch(_COLUMNS)]
        records = [tuple(_column(fill, column) for column in columns) for fill in fills]
        await driver.copy_records_to_table("fills", records=records, columns=columns)
    await set_balances(database, world, USDT=1000)
    report = await request_report(service, world)

    # The loop's thread is held up by what that thread itself computes, whatever else the machine does.
    everything, longest, last = time.process_time(), 0.0, time.thread_time()
    async with running(report_worker(database).run()):
        while not (await job_and_result(database, report))[0].status.is_final:
            await asyncio.sleep(0.005)
            now = time.thread_time()
            longest, last = max(longest, now - last), now
    everything = time.process_time() - everything
    job, result = await job_and_result(database, report)
    assert (job.status, len(result.round_trips)) == (JobStatus.SUCCEEDED, 10_000)
    assert longest < everything / 3


_COLUMNS = "SELECT attname FROM pg_attribute WHERE attrelid = 'fills'::regclass AND attnum > 0 AND NOT attisdropped"


def _big(world: World, order_id: object, number: int) -> Fill:
    fill = world.fill(world.order(side=(BUY, SELL)[number % 2]))
    at = START + timedelta(seconds=number)
    return replace(fill, order_id=order_id, at=at, price=Decimal(100), quantity=D("0.1"), fee=D(0), fee_currency="USDT")


def _column(fill: Fill, column: str) -> object:
    return str(fill.market) if column == "market" else getattr(fill, column)
