"""Jobs on a real database, computed by a handler that does as the test asks."""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime

import pytest

from domain.core.errors import ErrorCode, InputError, Unavailable
from domain.jobs.handler import JobFailed, JobOutcome, JobRun
from domain.jobs.queue import JobService, add_job, notify_workers
from domain.jobs.runner import MOST_ATTEMPTS, JobRunner, RunnerOptions
from domain.model.events import NewEvent, UserEventKind
from domain.model.jobs import Job, JobKind, JobStatus
from domain.model.plans import STANDARD_PLAN
from domain.ports.unit_of_work import UnitOfWork
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.background import running
from tests.support.trading import World, new_id, stored_world
from tests.support.waiting import eventually, read_until

QUICK = RunnerOptions(slots=2, lease_seconds=600.0, poll_seconds=0.05, progress_seconds=0.02)
"""A busy machine keeps what it has claimed."""

RENEWING = RunnerOptions(lease_seconds=0.3, poll_seconds=3_600, progress_seconds=0.02)
"""The leases are renewed all the time; one that lapses on a busy machine is claimed by nobody."""


class Steered:
    """Computes until the test lets go, and records what became of each job."""

    kind = JobKind.REPORT

    def __init__(self, *, waits: bool = True, failure: Exception | None = None) -> None:
        self.started: list[Job] = []
        self.cancelled: list[Job] = []
        self.stored: list[Job] = []
        self.go_on = asyncio.Event()
        self._failure = failure
        if not waits:
            self.go_on.set()

    async def run(self, run: JobRun) -> JobOutcome:
        self.started.append(run.job)
        run.report(0.5)
        run.report(0.25)
        try:
            await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled.append(run.job)
            raise
        if self._failure is not None:
            raise self._failure

        async def store(_transaction: UnitOfWork) -> Sequence[NewEvent]:
            self.stored.append(run.job)
            return []

        return JobOutcome("done", store)


async def queued(database: PostgresDatabase, world: World) -> Job:
    job = Job(new_id(), world.user.id, JobKind.REPORT, SystemClock().now())
    async with database.transaction() as transaction:
        await add_job(transaction, job)
    return job


async def stored(database: PostgresDatabase, job: Job) -> Job:
    async with database.read_only() as reading:
        found = await reading.jobs.get(job.user_id, job.id)
    assert found is not None
    return found


async def finished(database: PostgresDatabase, job: Job) -> Job:
    return await read_until(lambda: stored(database, job), lambda found: found.status.is_final, "the job ends")


def runner(
    database: PostgresDatabase,
    handler: Steered,
    name: str = "one",
    bus: EmbeddedBus | None = None,
    options: RunnerOptions = QUICK,
) -> JobRunner:
    return JobRunner(database, bus or EmbeddedBus(), SystemClock(), name, [handler], options)


async def test_a_worker_that_runs_takes_what_is_asked_for(database: PostgresDatabase, world: World) -> None:
    async with running(runner(database, Steered(waits=False)).run()):
        ended = [await finished(database, await queued(database, world)) for _ in range(3)]
    assert [(job.status, job.progress, job.message) for job in ended] == [(JobStatus.SUCCEEDED, 1.0, "done")] * 3


async def test_a_worker_learns_of_a_job_at_once(database: PostgresDatabase, bus: EmbeddedBus, world: World) -> None:
    handler = Steered(waits=False)
    async with running(runner(database, handler, bus=bus, options=RunnerOptions(poll_seconds=3_600)).run()):
        first = await queued(database, world)
        # The first look may be before or after the job; the next one is because of the message.
        await notify_workers(bus)
        await finished(database, first)
        second = await queued(database, world)
        await notify_workers(bus)
        await finished(database, second)


async def test_as_many_jobs_run_at_a_time_as_there_are_slots(
    database: PostgresDatabase, pool: Pool, world: World
) -> None:
    async with pool.acquire() as driver:
        other = await stored_world(Connection(driver))
    handler = Steered()
    jobs = [await queued(database, whose) for whose in (world, world, other, other)]
    async with running(runner(database, handler).run()):
        await eventually(lambda: len(handler.started) == QUICK.slots, "all slots are taken")
        assert {job.user_id for job in handler.started} == {world.user.id, other.user.id}
        handler.go_on.set()
        for job in jobs:
            assert (await finished(database, job)).status is JobStatus.SUCCEEDED


async def test_a_worker_that_dies_leaves_its_job_to_the_next(
    database: PostgresDatabase, world: World, pool: Pool
) -> None:
    job = await queued(database, world)
    async with database.transaction() as transaction:
        assert await transaction.jobs.claim((JobKind.REPORT,), "dead", QUICK.lease_seconds)
    handler = Steered(waits=False)
    assert not await runner(database, handler).work_once()
    async with running(runner(database, handler).run()):
        async with pool.acquire() as driver:
            await driver.execute("UPDATE jobs SET lease_until = now() - interval '1 second'")
        assert (await finished(database, job)).status is JobStatus.SUCCEEDED


async def test_a_job_that_ends_its_workers_is_given_up(
    database: PostgresDatabase, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    job, handler = await queued(database, world), Steered(waits=False)
    for _ in range(MOST_ATTEMPTS):
        async with database.transaction() as transaction:
            assert await transaction.jobs.claim((JobKind.REPORT,), "dead", -1)
    with caplog.at_level(logging.ERROR):
        assert await runner(database, handler).work_once()
    ended = await stored(database, job)
    assert (ended.status, handler.started) == (JobStatus.FAILED, [])
    assert ended.message == "The job was given up: each worker that computed it came to an end."


async def test_a_worker_keeps_its_job_for_as_long_as_it_works(
    database: PostgresDatabase, world: World, pool: Pool
) -> None:
    async def lease_end() -> datetime:
        async with pool.acquire() as driver:
            return await driver.fetchval("SELECT lease_until FROM jobs")

    job, handler = await queued(database, world), Steered()
    async with running(runner(database, handler, options=RENEWING).run()):
        await read_until(lambda: stored(database, job), lambda now: now.progress == 0.5, "progress is stored")
        for _ in range(3):
            before = await lease_end()
            await read_until(lease_end, lambda end, before=before: end > before, "the lease is renewed")
        assert (await stored(database, job)).status is JobStatus.RUNNING
        handler.go_on.set()
        assert (await finished(database, job)).status is JobStatus.SUCCEEDED


async def test_a_worker_whose_job_was_taken_over_drops_it(database: PostgresDatabase, world: World, pool: Pool) -> None:
    job, handler = await queued(database, world), Steered()
    async with running(runner(database, handler, options=RENEWING).run()):
        await eventually(lambda: handler.started, "the job is taken")
        async with pool.acquire() as driver:
            await driver.execute("UPDATE jobs SET worker = 'other', lease_until = now() + interval '1 hour'")
        await eventually(lambda: handler.cancelled, "it is dropped")
    assert (await stored(database, job)).status is JobStatus.RUNNING
    assert handler.stored == []


async def test_a_worker_that_stood_still_until_its_lease_lapsed_goes_on_with_its_job(
    database: PostgresDatabase, world: World, pool: Pool, caplog: pytest.LogCaptureFixture
) -> None:
    job, handler = await queued(database, world), Steered()
    async with running(runner(database, handler).run()):
        # Then the lease isn't renewed any more for a long time.
        await read_until(lambda: stored(database, job), lambda now: now.progress == 0.5, "progress is stored")
        for attempts in range(2, MOST_ATTEMPTS + 3):
            async with pool.acquire() as driver:
                await driver.execute("UPDATE jobs SET lease_until = now() - interval '1 second'")
                await read_until(
                    lambda: driver.fetchval("SELECT attempts FROM jobs"),
                    lambda now, attempts=attempts: now == attempts,
                    "its own worker claims it again",
                )
        handler.go_on.set()
        assert (await finished(database, job)).status is JobStatus.SUCCEEDED
    assert [started.id for started in handler.started] == [job.id]
    assert (handler.stored, handler.cancelled) == (handler.started, [])
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


async def test_a_worker_that_stops_gives_its_job_back(database: PostgresDatabase, world: World) -> None:
    job, handler = await queued(database, world), Steered()
    async with running(runner(database, handler).run()):
        await eventually(lambda: handler.started, "the job is taken")
    assert (await stored(database, job), handler.cancelled) == (job, handler.started)
    assert await runner(database, Steered(waits=False), "two").work_once()
    assert (await stored(database, job)).status is JobStatus.SUCCEEDED


async def test_a_cancelled_job_ends_at_once_wherever_it_is(
    database: PostgresDatabase, bus: EmbeddedBus, service: JobService, world: World
) -> None:
    handler, slow = Steered(), RunnerOptions(lease_seconds=3_600, poll_seconds=3_600, progress_seconds=3_600)
    runs, waits = await queued(database, world), await queued(database, world)
    async with running(runner(database, handler, bus=bus, options=slow).run()):
        await eventually(lambda: handler.started, "the job is taken")
        for job in (waits, runs):
            ended = await service.cancel(world.user.id, job.id)
            assert (ended.status, ended.message) == (JobStatus.CANCELED, "Cancelled by its user.")
            assert ended == await stored(database, job)
            assert await service.cancel(world.user.id, job.id) == ended
        await eventually(lambda: [job.id for job in handler.cancelled] == [runs.id], "its computation ends")
        # The slot is free for the next one.
        handler.go_on.set()
        following = await queued(database, world)
        await notify_workers(bus)
        assert (await finished(database, following)).status is JobStatus.SUCCEEDED
    assert [job.id for job in handler.stored] == [following.id]


async def test_cancelling_a_job_that_has_ended_changes_nothing(
    database: PostgresDatabase, service: JobService, world: World
) -> None:
    job = await queued(database, world)
    assert await runner(database, Steered(waits=False)).work_once()
    ended = await stored(database, job)
    assert await service.cancel(world.user.id, job.id) == ended
    assert ended.status is JobStatus.SUCCEEDED


async def test_nobody_cancels_the_job_of_another(
    database: PostgresDatabase, service: JobService, world: World, pool: Pool
) -> None:
    async with pool.acquire() as driver:
        other = await stored_world(Connection(driver))
    job = await queued(database, world)
    for user, job_id in ((other.user.id, job.id), (world.user.id, new_id())):
        with pytest.raises(InputError) as refused:
            await service.cancel(user, job_id)
        assert (refused.value.code, refused.value.path) == (ErrorCode.NOT_FOUND, ("id",))
    assert await stored(database, job) == job


async def test_the_log_has_each_end_of_a_job_once(
    database: PostgresDatabase, service: JobService, world: World
) -> None:
    done, cancelled = await queued(database, world), await queued(database, world)
    assert await runner(database, Steered(waits=False)).work_once()
    for _ in range(2):
        await service.cancel(world.user.id, cancelled.id)
    async with database.read_only() as reading:
        events = await reading.events.read_after(world.user.id, 0, None, 20)
    jobs = [event for event in events if event.kind is UserEventKind.JOB]
    assert [(event.subject.id, event.message) for event in jobs] == [  # type: ignore[union-attr]
        (done.id, "QUEUED"), (cancelled.id, "QUEUED"), (done.id, "SUCCEEDED"), (cancelled.id, "CANCELED"),
    ]  # fmt: skip
    assert [event.message for event in events if event.kind is UserEventKind.ACTIVITY] == ["jobCancel"]


async def test_a_failure_has_the_words_of_the_handler(database: PostgresDatabase, world: World) -> None:
    job = await queued(database, world)
    assert await runner(database, Steered(waits=False, failure=JobFailed("There are no candles."))).work_once()
    ended = await stored(database, job)
    assert (ended.status, ended.message, ended.progress) == (JobStatus.FAILED, "There are no candles.", 0.5)


async def test_a_fault_ends_its_job_with_a_message_that_leaks_nothing_and_is_logged_once(
    database: PostgresDatabase, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    job = await queued(database, world)
    with caplog.at_level(logging.INFO):
        fault = ZeroDivisionError("postgresql://r3edge:hunter2@db")
        assert await runner(database, Steered(waits=False, failure=fault)).work_once()
    ended = await stored(database, job)
    assert (ended.status, "hunter2" in str(ended)) == (JobStatus.FAILED, False)
    assert [record.exc_info is not None for record in caplog.records] == [True]


async def test_a_job_that_could_not_read_the_database_is_tried_again(database: PostgresDatabase, world: World) -> None:
    job = await queued(database, world)
    for _ in range(2 * MOST_ATTEMPTS):
        assert await runner(database, Steered(waits=False, failure=Unavailable("gone"))).work_once()
    assert await stored(database, job) == job
    assert await runner(database, Steered(waits=False)).work_once()
    assert (await stored(database, job)).status is JobStatus.SUCCEEDED


async def test_a_user_has_as_many_open_jobs_as_the_plan_allows_however_fast_they_are_asked_for(
    database: PostgresDatabase, service: JobService, world: World
) -> None:
    most = STANDARD_PLAN.max_open_jobs
    answers = await asyncio.gather(*(queued(database, world) for _ in range(most + 2)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, InputError)]
    assert [error.code for error in refused] == [ErrorCode.LIMIT_REACHED] * 2
    assert str(most) in refused[0].message
    added = next(answer for answer in answers if isinstance(answer, Job))
    await service.cancel(world.user.id, added.id)
    await queued(database, world)
