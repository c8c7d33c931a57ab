"""Reports, and their results."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.core.pagination import KeysetPage
from domain.model.jobs import Job, JobStatus
from domain.model.orders import OrderRole
from domain.model.reports import (
    EquityPoint,
    PerformanceMetrics,
    PositionSide,
    Report,
    ReportResult,
    ReportScope,
    RoundTrip,
)
from infra.postgres.connection import Connection
from infra.postgres.repositories.jobs import PostgresJobs
from infra.postgres.repositories.reports import PostgresReports
from tests.support.trading import NOW, World, at, new_id


@pytest.fixture
def reports(connection: Connection) -> PostgresReports:
    return PostgresReports(connection)


@pytest.fixture
def jobs(connection: Connection) -> PostgresJobs:
    return PostgresJobs(connection)


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


async def test_reports_are_paged_for_their_owner_alone(
    reports: PostgresReports, jobs: PostgresJobs, world: World, stranger: World
) -> None:
    added = [_job(world) for _ in range(4)]
    made = [_report(world, job) for job in added]
    for job, report in zip(added, made, strict=True):
        await jobs.add(job)
        await reports.add_report(report)
    user, other = world.user.id, stranger.user.id
    assert await reports.list_reports(user, KeysetPage(2)) == [made[3], made[2]]
    assert await reports.list_reports(user, KeysetPage(2, backwards=True)) == [made[1], made[0]]
    assert await reports.list_reports(other, KeysetPage(9)) == []
    assert await reports.get_report(other, made[0].id) is None


@pytest.mark.parametrize("scope", ReportScope)
async def test_a_report_comes_back_as_it_was_stored(
    reports: PostgresReports, jobs: PostgresJobs, world: World, scope: ReportScope
) -> None:
    job = _job(world)
    report = _report(world, job, scope)
    await jobs.add(job)
    await reports.add_report(report)
    assert await reports.get_report(world.user.id, report.id) == report
    assert await reports.get_report_for_job(job.id) == report
    assert await reports.get_report_for_job(new_id()) is None


async def test_a_report_has_no_result_until_its_job_has_succeeded(
    reports: PostgresReports, jobs: PostgresJobs, world: World
) -> None:
    job = _job(world)
    report = _report(world, job)
    result = ReportResult(_metrics(), (), ())
    await jobs.add(job)
    await reports.add_report(report)
    assert await reports.get_result(report.id) is None
    await reports.set_result(report.id, result)
    assert await reports.get_result(report.id) is None
    await jobs.finish(job.id, JobStatus.SUCCEEDED, None, at(1))
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
    jobs: PostgresJobs,
    world: World,
    points: list[EquityPoint],
    round_trips: list[RoundTrip],
    figure: float | None,
    amount: Decimal | None,
) -> None:
    job = _job(world)
    report = _report(world, job)
    result = ReportResult(_metrics(sharpe=figure, best_trade=amount), tuple(points), tuple(round_trips))
    await jobs.add(job)
    await reports.add_report(report)
    await reports.set_result(report.id, result)
    await jobs.finish(job.id, JobStatus.SUCCEEDED, None, at(1))
    assert await reports.get_result(report.id) == result
