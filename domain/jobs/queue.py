"""Puts jobs into the queue within the user's plan, and cancels them."""

from typing import Final
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError
from domain.model.events import NewEvent, UserEventKind
from domain.model.jobs import Job, JobStatus
from domain.model.plans import Entitlement
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.users.activity import record_activity
from domain.users.entitlements import require_room

JOBS_TOPIC: Final = "jobs"
"""Where workers learn of a new job (an empty message), and of one that was cancelled (its id)."""


async def add_job(transaction: UnitOfWork, job: Job) -> None:
    """Insert a job with its event; raises LIMIT_REACHED if the user's plan allows no further one.

    Publish to `JOBS_TOPIC` after the commit (`notify_workers`).
    """
    await require_room(transaction, job.user_id, Entitlement.OPEN_JOBS)
    await transaction.jobs.add(job)
    transaction.events.append([NewEvent(job.user_id, job.created_at, UserEventKind.JOB, job, job.status.value)])


async def notify_workers(bus: MessageBus) -> None:
    """Have the workers look for a job at once."""
    await bus.publish(JOBS_TOPIC, b"")


def cancelled_job(payload: bytes) -> UUID | None:
    """Return the id of the job that a message of `JOBS_TOPIC` is about; None if it is of a new job."""
    return UUID(bytes=payload) if len(payload) == len(UUID(int=0).bytes) else None


class JobService:
    """Cancels jobs."""

    def __init__(self, database: Database, bus: MessageBus, clock: Clock, ids: IdGenerator) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._ids = ids

    async def cancel(self, user_id: UUID, job_id: UUID) -> Job:
        """Cancel the job, and return it; a job that has ended stays as it is. Raises NOT_FOUND."""
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            job = await transaction.jobs.get(user_id, job_id)
            if job is None:
                raise InputError(ErrorCode.NOT_FOUND, "There is no such job of yours.", ("id",))
            ended = await transaction.jobs.finish(job_id, JobStatus.CANCELED, "Cancelled by its user.", now)
            if ended is None:
                # It ended before, perhaps since it was read.
                return await transaction.jobs.get(user_id, job_id) or job
            transaction.events.append([NewEvent(user_id, now, UserEventKind.JOB, ended, ended.status.value)])
            await record_activity(transaction, self._ids, now, user_id, "jobCancel", ("Job", str(job_id)))
        await self._bus.publish(JOBS_TOPIC, job_id.bytes)
        return ended
