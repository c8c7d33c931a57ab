"""Reports about a strategy, whose versions stand side by side, and about all that a user has."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import pytest

from domain.core.errors import InputError
from domain.model.jobs import JobStatus
from domain.model.reports import ReportScope
from domain.reports.request import ReportRequest
from domain.reports.service import ReportService
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from infra.postgres.repositories.accounts import PostgresAccounts
from infra.postgres.repositories.strategies import PostgresStrategies
from infra.postgres.repositories.trading_sessions import PostgresTradingSessions
from tests.support.fill_ledgers import BUY, SELL
from tests.support.reporting import END, START, hour, job_and_result, report_worker, set_balances, store_fills
from tests.support.trading import World, new_account, new_session, new_version, stored_world


async def another_version(pool: Pool, world: World, number: int) -> World:
    """Return the world with a session of another version of the same strategy, all stored."""
    version = replace(new_version(world.strategy), number=number)
    session = replace(
        new_session(world.user.id, world.account.id, version.id), started_at=START, start_equity=Decimal(1_000)
    )
    async with pool.acquire() as driver:
        connection = Connection(driver)
        await PostgresStrategies(connection).add_version(version)
        await PostgresTradingSessions(connection).add(session)
    return replace(world, version=version, session=session)


async def reported(service: ReportService, database: PostgresDatabase, world: World, request: ReportRequest):  # type: ignore[no-untyped-def]  # noqa: ANN201
    report = await service.generate(world.user.id, request, None)
    assert await report_worker(database).work_once()
    return await job_and_result(database, report)


async def test_versions_of_a_strategy_stand_side_by_side(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    second = await another_version(pool, world, 2)
    third = await another_version(pool, world, 3)
    await store_fills(database, second, (hour(1), BUY, 1, 100), (hour(2), SELL, 1, 130), session=second.session)
    await store_fills(database, third, (hour(3), BUY, 1, 100), (hour(4), SELL, 1, 80), session=third.session)
    asked = ReportRequest(ReportScope.STRATEGY, world.strategy.id, START, END)
    job, result = await reported(service, database, world, asked)
    assert job.status is JobStatus.SUCCEEDED, job.message
    profits = {part.name: part.metrics.net_profit for part in result.parts}
    assert (profits["Version 2"], profits["Version 3"]) == (30, -20)
    assert result.metrics.net_profit == 10
    assert result.metrics.round_trips == 2


async def test_a_strategy_that_never_traded_says_so(
    database: PostgresDatabase, service: ReportService, world: World
) -> None:
    long_ago = START - timedelta(days=3_000)
    asked = ReportRequest(ReportScope.STRATEGY, world.strategy.id, long_ago, long_ago + timedelta(days=1))
    job, result = await reported(service, database, world, asked)
    assert (job.status, result) == (JobStatus.FAILED, None)
    assert job.message == "No trading session of the strategy was live in this period."


async def test_a_report_of_everything_adds_all_accounts_up(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    other = replace(new_account(world.user.id), name="the other one")
    async with pool.acquire() as driver:
        await PostgresAccounts(Connection(driver)).add(other, b"sealed")
        await driver.execute("UPDATE accounts SET created_at = $1 WHERE user_id = $2", START, world.user.id)
    await store_fills(database, world, (hour(1), BUY, 1, 100), (hour(2), SELL, 1, 130))
    await set_balances(database, world, USDT=1_030)
    both = replace(world, account=other)
    await store_fills(database, both, (hour(3), BUY, 2, 100), (hour(4), SELL, 2, 90))
    await set_balances(database, both, USDT=480)
    job, result = await reported(service, database, world, ReportRequest(ReportScope.USER, world.user.id, START, END))
    assert job.status is JobStatus.SUCCEEDED, job.message
    assert {part.name: part.metrics.net_profit for part in result.parts} == {
        world.account.name: 30,
        "the other one": -20,
    }
    assert (result.metrics.start_equity, result.metrics.end_equity, result.metrics.net_profit) == (1_500, 1_510, 10)


async def test_what_is_another_users_is_not_there(
    database: PostgresDatabase, pool: Pool, service: ReportService, world: World
) -> None:
    async with pool.acquire() as driver:
        stranger = await stored_world(Connection(driver))
    for scope, scope_id in (
        (ReportScope.STRATEGY, stranger.strategy.id),
        (ReportScope.STRATEGY, uuid4()),
        (ReportScope.USER, stranger.user.id),
    ):
        with pytest.raises(InputError, match="nothing like that"):
            await service.generate(world.user.id, ReportRequest(scope, scope_id, START, END), None)
