"""Jobs that workers share, and the reports that they compute."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.core.pagination import KeysetPage
from domain.model.orders import OrderRole
from domain.model.reports import (
    EquityPoint,
    Job,
    JobStatus,
    PerformanceMetrics,
    PositionSide,
    Report,
    ReportResult,
    ReportScope,
    RoundTrip,
)
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool
from infra.postgres.repositories.reports import PostgresReports
from tests.support.trading import NOW, World, at, new_id

LEASE_SECONDS = 60.0
LAPSED_SECONDS = -1.0
KINDS = ("report",)


@pytest.fixture
def reports(connection: Connection) -> PostgresReports:
    return PostgresReports(connection)


def _job(world: World, **changes: object) -> Job:
    return replace(Job(new_id(), world.user.id, "report", NOW), **changes)  # type: ignore[arg-type]


def _report(world: World, job: Job, scope: ReportScope = ReportScope.ACCOUNT) -> Report:
    return Report(new_id(), world.user.id, scope, world.account.id, at(-86_400), NOW, NOW, job.id)


def _metrics(**changes: object) -> PerformanceMetrics:
    amounts = dict.fromkeys(
        ("start_equity", "end_equity", "net_profit", "max_drawdown", "turnover", "fees"), Decimal("10.10")
    )
    counts = dict.fromkeys(
        ("round_trips", "wins", "losses", "longest_win_streak", "longest_loss_streak", "orders_denied"), 2
    )
    fields = {"currency": "USDT", **amounts, **counts, "orders_rejected": 1, **changes}
    return PerformanceMetrics(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("status", JobStatus)
async def test_a_job_comes_back_as_it_was_stored(reports: PostgresReports, world: World, status: JobStatus) -> None:
    bare = _job(world)
    full = _job(
        world,
        status=status,
        progress=0.1 + 0.2,
        message="half way",
        finished_at=at(5),
        result_type="Report",
        result_id=new_id(),
    )
    for job in (bare, full):
        await reports.add_job(job)
        assert await reports.get_job(world.user.id, job.id) == job


async def test_the_oldest_job_of_a_kind_is_taken_first(reports: PostgresReports, world: World) -> None:
    other, first, second = _job(world, kind="backtest"), _job(world), _job(world)
    for job in (other, first, second):
        await reports.add_job(job)
    assert await reports.claim_job(KINDS, "a", LEASE_SECONDS) == replace(first, status=JobStatus.RUNNING)
    assert await reports.claim_job(KINDS, "b", LEASE_SECONDS) == replace(second, status=JobStatus.RUNNING)
    assert await reports.claim_job(KINDS, "c", LEASE_SECONDS) is None
    assert await reports.claim_job((), "c", LEASE_SECONDS) is None
    assert await reports.claim_job(("none", "backtest"), "c", LEASE_SECONDS) == replace(other, status=JobStatus.RUNNING)


async def test_two_workers_at_once_never_take_the_same_job(pool: Pool, reports: PostgresReports, world: World) -> None:
    jobs = [_job(world) for _ in range(20)]
    for job in jobs:
        await reports.add_job(job)

    async def work(name: str) -> list[Job]:
        taken = []
        async with pool.acquire() as driver:
            repository = PostgresReports(Connection(driver))
            while (job := await repository.claim_job(KINDS, name, LEASE_SECONDS)) is not None:
                taken.append(job)
        return taken

    taken = [job for some in await asyncio.gather(work("a"), work("b")) for job in some]
    assert sorted(job.id for job in taken) == [job.id for job in jobs]


async def test_a_job_that_is_being_taken_is_passed_over_without_waiting(
    pool: Pool, reports: PostgresReports, world: World
) -> None:
    first, second = _job(world), _job(world)
    await reports.add_job(first)
    await reports.add_job(second)
    async with pool.acquire() as driver, driver.transaction():
        taken = await PostgresReports(Connection(driver)).claim_job(KINDS, "a", LEASE_SECONDS)
        passed = await reports.claim_job(KINDS, "b", LEASE_SECONDS)
    assert taken is not None
    assert passed is not None
    assert (taken.id, passed.id) == (first.id, second.id)


async def test_the_job_of_a_lapsed_worker_is_taken_again(reports: PostgresReports, world: World) -> None:
    job = _job(world)
    await reports.add_job(job)
    await reports.claim_job(KINDS, "dead", LAPSED_SECONDS)
    taken = await reports.claim_job(KINDS, "alive", LEASE_SECONDS)
    assert taken is not None
    assert taken.id == job.id
    assert not await reports.renew_job(job.id, "dead", LEASE_SECONDS, 0.5)
    assert await reports.renew_job(job.id, "alive", LEASE_SECONDS, 0.5)
    assert await reports.get_job(world.user.id, job.id) == replace(taken, progress=0.5)
    assert await reports.claim_job(KINDS, "dead", LEASE_SECONDS) is None


async def test_a_worker_that_lapsed_unnoticed_goes_on(reports: PostgresReports, world: World) -> None:
    job = _job(world)
    await reports.add_job(job)
    await reports.claim_job(KINDS, "slow", LAPSED_SECONDS)
    assert await reports.renew_job(job.id, "slow", LEASE_SECONDS, 0.25)
    assert await reports.claim_job(KINDS, "other", LEASE_SECONDS) is None


@pytest.mark.parametrize("status", [JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED])
async def test_a_job_ends_once(reports: PostgresReports, world: World, status: JobStatus) -> None:
    job = _job(world)
    await reports.add_job(job)
    await reports.claim_job(KINDS, "a", LEASE_SECONDS)
    await reports.renew_job(job.id, "a", LEASE_SECONDS, 0.75)
    ended = await reports.finish_job(job.id, status, "done", at(9))
    progress = 1.0 if status is JobStatus.SUCCEEDED else 0.75
    assert ended == replace(job, status=status, message="done", finished_at=at(9), progress=progress)
    assert await reports.finish_job(job.id, JobStatus.FAILED, None, at(10)) is None
    assert not await reports.renew_job(job.id, "a", LEASE_SECONDS, 0.8)
    assert await reports.claim_job(KINDS, "b", LEASE_SECONDS) is None
    assert await reports.get_job(world.user.id, job.id) == ended


async def test_jobs_and_reports_are_paged_for_their_owner_alone(
    reports: PostgresReports, world: World, stranger: World
) -> None:
    jobs = [_job(world) for _ in range(4)]
    made = [_report(world, job) for job in jobs]
    for job, report in zip(jobs, made, strict=True):
        await reports.add_job(job)
        await reports.add_report(report)
    await reports.finish_job(jobs[0].id, JobStatus.CANCELED, None, NOW)
    user, other = world.user.id, stranger.user.id
    assert [job.id for job in await reports.list_jobs(user, KeysetPage(9))] == [job.id for job in jobs[::-1]]
    assert await reports.list_jobs(user, KeysetPage(2, after=jobs[3].id), (JobStatus.QUEUED,)) == [jobs[2], jobs[1]]
    assert await reports.list_reports(user, KeysetPage(2)) == [made[3], made[2]]
    assert await reports.list_reports(user, KeysetPage(2, backwards=True)) == [made[1], made[0]]
    assert {job.id for job in await reports.get_many_jobs([jobs[1].id, new_id()])} == {jobs[1].id}
    assert await reports.list_jobs(other, KeysetPage(9)) == []
    assert await reports.list_reports(other, KeysetPage(9)) == []
    assert await reports.get_job(other, jobs[0].id) is None
    assert await reports.get_report(other, made[0].id) is None


@pytest.mark.parametrize("scope", ReportScope)
async def test_a_report_comes_back_as_it_was_stored(reports: PostgresReports, world: World, scope: ReportScope) -> None:
    job = _job(world)
    report = _report(world, job, scope)
    await reports.add_job(job)
    await reports.add_report(report)
    assert await reports.get_report(world.user.id, report.id) == report
    assert await reports.get_report_for_job(job.id) == report
    assert await reports.get_report_for_job(new_id()) is None


async def test_a_report_has_no_result_until_its_job_has_succeeded(reports: PostgresReports, world: World) -> None:
    job = _job(world)
    report = _report(world, job)
    result = ReportResult(_metrics(), (), ())
    await reports.add_job(job)
    await reports.add_report(report)
    assert await reports.get_result(report.id) is None
    await reports.set_result(report.id, result)
    assert await reports.get_result(report.id) is None
    await reports.finish_job(job.id, JobStatus.SUCCEEDED, None, at(1))
    assert await reports.get_result(report.id) == result


floats = st.floats(allow_nan=False, allow_infinity=False)
amounts = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12)
moments = st.sampled_from([NOW, at(0.000001), at(-86_400)])
trips = st.builds(
    RoundTrip,
    opened_at=moments,
    closed_at=st.none() | moments,
    side=st.sampled_from(PositionSide),
    quantity=amounts,
    entry_price=amounts,
    exit_price=st.none() | amounts,
    profit=amounts,
    profit_percent=st.none() | floats,
    fees=amounts,
    exit_reason=st.none() | st.sampled_from(OrderRole),
    max_adverse_excursion=st.none() | floats,
    max_favorable_excursion=st.none() | floats,
)


@given(
    points=st.lists(st.builds(EquityPoint, moments, amounts, floats), max_size=3),
    round_trips=st.lists(trips, max_size=3),
    figure=st.none() | floats,
    amount=st.none() | amounts,
)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_a_result_keeps_every_digit(
    reports: PostgresReports,
    world: World,
    points: list[EquityPoint],
    round_trips: list[RoundTrip],
    figure: float | None,
    amount: Decimal | None,
) -> None:
    job = _job(world)
    report = _report(world, job)
    result = ReportResult(_metrics(sharpe=figure, best_trade=amount), tuple(points), tuple(round_trips))
    await reports.add_job(job)
    await reports.add_report(report)
    await reports.set_result(report.id, result)
    await reports.finish_job(job.id, JobStatus.SUCCEEDED, None, at(1))
    assert await reports.get_result(report.id) == result
