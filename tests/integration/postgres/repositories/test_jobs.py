"""Jobs that workers share, and whose turn it is."""

import asyncio
from dataclasses import replace

import pytest

from domain.core.pagination import KeysetPage
from domain.model.jobs import ClaimedJob, Job, JobStatus
from domain.model.plans import STANDARD_PLAN
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool
from infra.postgres.repositories.jobs import PostgresJobs
from tests.support.trading import NOW, World, at, new_id, stored_world

LEASE_SECONDS = 60.0
LAPSED_SECONDS = -1.0
KINDS = ("report",)
MOST = STANDARD_PLAN.max_running_jobs


@pytest.fixture
def jobs(connection: Connection) -> PostgresJobs:
    return PostgresJobs(connection)


def _job(world: World, **changes: object) -> Job:
    return replace(Job(new_id(), world.user.id, "report", NOW), **changes)  # type: ignore[arg-type]


def _claimed(job: Job, attempts: int = 1) -> ClaimedJob:
    return ClaimedJob(replace(job, status=JobStatus.RUNNING), attempts)


async def _add(jobs: PostgresJobs, world: World, count: int) -> list[Job]:
    added = [_job(world) for _ in range(count)]
    for job in added:
        await jobs.add(job)
    return added


@pytest.mark.parametrize("status", JobStatus)
async def test_a_job_comes_back_as_it_was_stored(jobs: PostgresJobs, world: World, status: JobStatus) -> None:
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
        await jobs.add(job)
        assert await jobs.get(world.user.id, job.id) == job


async def test_the_oldest_job_of_a_user_and_a_kind_is_taken_first(jobs: PostgresJobs, world: World) -> None:
    other, first, second = _job(world, kind="backtest"), _job(world), _job(world)
    for job in (other, first, second):
        await jobs.add(job)
    assert await jobs.claim(KINDS, "a", LEASE_SECONDS) == _claimed(first)
    assert await jobs.claim(KINDS, "b", LEASE_SECONDS) == _claimed(second)
    assert await jobs.claim(KINDS, "c", LEASE_SECONDS) is None
    assert await jobs.claim((), "c", LEASE_SECONDS) is None
    assert await jobs.claim(("none", "backtest"), "c", LEASE_SECONDS) == _claimed(other)


async def test_users_take_turns_however_many_jobs_one_of_them_has_waiting(
    jobs: PostgresJobs, world: World, stranger: World
) -> None:
    many = await _add(jobs, world, 4)
    one = await _add(jobs, stranger, 2)
    expected = [many[0], one[0], many[1], one[1], many[2], many[3]]
    for job in expected:
        assert await jobs.claim(KINDS, "a", LEASE_SECONDS) == _claimed(job)
        assert await jobs.finish(job.id, JobStatus.SUCCEEDED, None, NOW)
    assert await jobs.claim(KINDS, "a", LEASE_SECONDS) is None


async def test_a_user_who_runs_nothing_comes_before_one_who_does(
    jobs: PostgresJobs, world: World, stranger: World
) -> None:
    busy = await _add(jobs, world, 2)
    assert await jobs.claim(KINDS, "a", LEASE_SECONDS) == _claimed(busy[0])
    idle = await _add(jobs, stranger, 1)
    assert await jobs.claim(KINDS, "a", LEASE_SECONDS) == _claimed(idle[0])
    assert await jobs.claim(KINDS, "a", LEASE_SECONDS) == _claimed(busy[1])


async def test_a_user_has_as_many_jobs_running_as_the_plan_allows(
    jobs: PostgresJobs, world: World, stranger: World
) -> None:
    added = await _add(jobs, world, MOST + 1)
    for _ in range(MOST):
        assert await jobs.claim(KINDS, "a", LEASE_SECONDS) is not None
    assert await jobs.claim(KINDS, "a", LEASE_SECONDS) is None
    others = await _add(jobs, stranger, 1)
    assert await jobs.claim(KINDS, "a", LEASE_SECONDS) == _claimed(others[0])
    await jobs.finish(added[0].id, JobStatus.FAILED, None, NOW)
    assert await jobs.claim(KINDS, "a", LEASE_SECONDS) == _claimed(added[MOST])


async def test_workers_at_once_never_take_the_same_job_nor_more_of_a_user_than_the_plan_allows(pool: Pool) -> None:
    async with pool.acquire() as driver:
        worlds = [await stored_world(Connection(driver)) for _ in range(3)]
        added = [job for world in worlds for job in await _add(PostgresJobs(Connection(driver)), world, MOST + 2)]

    async def work(name: str) -> list[Job]:
        taken = []
        for _ in range(8 * len(added)):
            async with pool.acquire() as driver, driver.transaction():
                claimed = await PostgresJobs(Connection(driver)).claim(KINDS, name, LEASE_SECONDS)
            if claimed is not None:
                taken.append(claimed.job)
        return taken

    taken = [job for some in await asyncio.gather(*map(work, "abc")) for job in some]
    assert len({job.id for job in taken}) == len(taken)
    per_user = [sum(job.user_id == world.user.id for job in taken) for world in worlds]
    assert per_user == [MOST] * 3


async def test_a_user_whose_job_is_being_taken_is_passed_over_without_waiting(
    pool: Pool, jobs: PostgresJobs, world: World, stranger: World
) -> None:
    first, _ = await _add(jobs, world, 2)
    other, _ = await _add(jobs, stranger, 2)
    async with pool.acquire() as driver, driver.transaction():
        taken = await PostgresJobs(Connection(driver)).claim(KINDS, "a", LEASE_SECONDS)
        passed = await jobs.claim(KINDS, "b", LEASE_SECONDS)
    assert (taken, passed) == (_claimed(first), _claimed(other))


async def test_the_job_of_a_lapsed_worker_is_taken_again(jobs: PostgresJobs, world: World) -> None:
    job = _job(world)
    await jobs.add(job)
    await jobs.claim(KINDS, "dead", LAPSED_SECONDS)
    assert await jobs.claim(KINDS, "alive", LEASE_SECONDS) == _claimed(job, attempts=2)
    assert not await jobs.renew(job.id, "dead", LEASE_SECONDS, 0.5)
    assert not await jobs.release(job.id, "dead")
    assert await jobs.renew(job.id, "alive", LEASE_SECONDS, 0.5)
    assert await jobs.get(world.user.id, job.id) == replace(job, status=JobStatus.RUNNING, progress=0.5)
    assert await jobs.claim(KINDS, "dead", LEASE_SECONDS) is None


async def test_a_job_that_was_given_back_waits_as_before(jobs: PostgresJobs, world: World) -> None:
    job = _job(world)
    await jobs.add(job)
    await jobs.claim(KINDS, "a", LEASE_SECONDS)
    await jobs.renew(job.id, "a", LEASE_SECONDS, 0.5)
    assert await jobs.release(job.id, "a")
    assert await jobs.get(world.user.id, job.id) == job
    assert await jobs.claim(KINDS, "b", LEASE_SECONDS) == _claimed(job, attempts=1)


async def test_a_worker_that_lapsed_unnoticed_goes_on(jobs: PostgresJobs, world: World) -> None:
    job = _job(world)
    await jobs.add(job)
    await jobs.claim(KINDS, "slow", LAPSED_SECONDS)
    assert await jobs.renew(job.id, "slow", LEASE_SECONDS, 0.25)
    assert await jobs.claim(KINDS, "other", LEASE_SECONDS) is None


@pytest.mark.parametrize("status", [JobStatus.SUCCEEDED, JobStatus.FAILED, JobStatus.CANCELED])
async def test_a_job_ends_once(jobs: PostgresJobs, world: World, status: JobStatus) -> None:
    job = _job(world)
    await jobs.add(job)
    await jobs.claim(KINDS, "a", LEASE_SECONDS)
    await jobs.renew(job.id, "a", LEASE_SECONDS, 0.75)
    ended = await jobs.finish(job.id, status, "done", at(9))
    progress = 1.0 if status is JobStatus.SUCCEEDED else 0.75
    assert ended == replace(job, status=status, message="done", finished_at=at(9), progress=progress)
    assert await jobs.finish(job.id, JobStatus.FAILED, None, at(10)) is None
    assert not await jobs.renew(job.id, "a", LEASE_SECONDS, 0.8)
    assert not await jobs.release(job.id, "a")
    assert await jobs.claim(KINDS, "b", LEASE_SECONDS) is None
    assert await jobs.get(world.user.id, job.id) == ended


async def test_jobs_are_paged_for_their_owner_alone(jobs: PostgresJobs, world: World, stranger: World) -> None:
    added = await _add(jobs, world, 4)
    await jobs.finish(added[0].id, JobStatus.CANCELED, None, NOW)
    user, other = world.user.id, stranger.user.id
    assert [job.id for job in await jobs.list_page(user, KeysetPage(9))] == [job.id for job in added[::-1]]
    assert await jobs.list_page(user, KeysetPage(2, after=added[3].id), (JobStatus.QUEUED,)) == [added[2], added[1]]
    assert {job.id for job in await jobs.get_many([added[1].id, new_id()])} == {added[1].id}
    assert await jobs.list_page(other, KeysetPage(9)) == []
    assert await jobs.get(other, added[0].id) is None
