"""Makes the reports of schedules at their times: one for each period, whatever number of nodes or restarts.

Every worker may: a schedule is locked while its report is requested, in the transaction that sets its next time. A time
that passed while no worker ran is made up for by the latest period alone.
"""

import asyncio
import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from domain.core.clock import Clock, IdGenerator
from domain.core.errors import InputError, Unauthenticated, Unavailable
from domain.core.time import zone_of
from domain.jobs.queue import add_job, notify_workers
from domain.model.events import NewEvent, UserEventKind
from domain.model.jobs import Job, JobKind
from domain.model.report_schedules import ReportSchedule, ReportScheduleStatus
from domain.model.reports import Report, ReportScope
from domain.ports.bus import MessageBus
from domain.ports.report_schedules import UnfinishedReport
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.reports.recurrence import ScheduledRun, latest_run, next_run, runs_between
from domain.reports.schedule_requests import end_of_subject
from domain.reports.scheduled_reports import failure_event
from domain.users.entitlements import PlanLimitReached
from domain.users.identity_lock import lock_user

log = logging.getLogger(__name__)

FAULT = "A fault of the engine, which its log describes."


@dataclass(frozen=True, slots=True)
class SchedulerOptions:
    """How schedules are looked at: `at_once` of those that are due; one that is refused again after `retry`."""

    poll_seconds: float = 2.0
    at_once: int = 100
    retry: timedelta = timedelta(minutes=10)


class ReportScheduler:
    """Makes the reports that are due until it is cancelled."""

    def __init__(
        self,
        database: Database,
        bus: MessageBus,
        clock: Clock,
        ids: IdGenerator,
        options: SchedulerOptions | None = None,
    ) -> None:
        self._database = database
        self._bus = bus
        self._clock = clock
        self._ids = ids
        self._options = options or SchedulerOptions()

    async def run(self) -> None:
        """Make reports as they fall due; while the database can't be reached, wait for it."""
        while True:
            due = 0
            try:
                due = await self.run_due()
            except Unavailable as error:
                log.warning("scheduled reports wait for the database: %s", error.message)
            except Exception:
                log.exception("scheduled reports could not be made; they are tried again")
            if due < self._options.at_once:
                await asyncio.sleep(self._options.poll_seconds)

    async def run_due(self) -> int:
        """Request the reports that are due, and note those that will not come; return how many were due."""
        async with self._database.read_only() as reading:
            due = await reading.report_schedules.due(self._clock.now(), self._options.at_once)
            unfinished = await reading.report_schedules.unfinished(self._options.at_once)
        for report in unfinished:  # before there is a newer one, after which nobody would ask for it
            await self._close(report)
        requested = [await self._request(user_id, schedule_id) for user_id, schedule_id in due]
        if any(requested):
            await notify_workers(self._bus)
        return len(due)

    async def _close(self, report: UnfinishedReport) -> None:
        """Note that a report will not come; what goes wrong with one schedule holds up no other."""
        try:
            await self._note_unfinished(report)
        except Unavailable:
            raise
        except Exception:
            log.exception("it could not be noted that the schedule %s has no report", report.schedule_id)

    async def _request(self, user_id: UUID, schedule_id: UUID) -> bool:
        """Request a schedule's report, unless another node has; return whether there is a job for it now."""
        try:
            async with self._database.transaction() as transaction:
                await lock_user(transaction, user_id)
                schedule = await transaction.report_schedules.get_for_update(user_id, schedule_id)
                if schedule is None or not _is_due(schedule, self._clock.now()):
                    return False
                return await self._run(transaction, schedule, self._clock.now())
        except Unauthenticated:  # erased meanwhile, and the schedule with the user
            return False
        except Unavailable:
            raise
        except Exception:
            log.exception("the report of the schedule %s could not be requested", schedule_id)
            await self._postpone(schedule_id)
            return False

    async def _run(self, transaction: UnitOfWork, schedule: ReportSchedule, now: datetime) -> bool:
        user = await transaction.users.get(schedule.user_id)
        assert user is not None  # the row is locked
        zone, recurrence = zone_of(user.time_zone), schedule.recurrence
        run, following = latest_run(recurrence, zone, now), next_run(recurrence, zone, now)
        planned = replace(schedule, due_at=following.at, retry_at=None)
        is_early = run.at < schedule.due_at  # the rules of the time zone have changed
        if is_early or await transaction.report_schedules.has_report(schedule.id, run.key):
            await transaction.report_schedules.save(planned)
            return False
        if (reason := await _reason_to_end(transaction, schedule, run)) is not None:
            await _end(transaction, schedule, reason, now)
            return False
        report = self._report(schedule, run, now)
        try:
            await add_job(transaction, _job_of(report))
        except PlanLimitReached as refusal:
            await self._refuse(transaction, schedule, refusal.message, now, following.at)
            return False
        await transaction.reports.add_report(report)
        planned = replace(
            planned,
            last_run_at=now,
            last_report_id=report.id,
            is_open=True,
            left_out=runs_between(recurrence, zone, schedule.due_at, run.at),
            last_error=await _unreachable(transaction, schedule),
        )
        planned = replace(planned, last_error_at=None if planned.last_error is None else now)
        await transaction.report_schedules.save(planned)
        level = logging.WARNING if planned.left_out else logging.INFO
        log.log(level, "schedule %s: report %s, %d left out", schedule.id, report.id, planned.left_out)
        return True

    def _report(self, schedule: ReportSchedule, run: ScheduledRun, now: datetime) -> Report:
        return Report(
            id=self._ids.next_id(),
            user_id=schedule.user_id,
            scope=schedule.scope,
            scope_id=schedule.scope_id,
            from_=run.start,
            to=run.end,
            created_at=now,
            job_id=self._ids.next_id(),
            benchmark=schedule.benchmark,
            schedule_id=schedule.id,
            schedule_period=run.key,
        )

    async def _refuse(
        self, transaction: UnitOfWork, schedule: ReportSchedule, reason: str, now: datetime, following: datetime
    ) -> None:
        """Note why there is no report, and try again until the next one is due."""
        retry_at = min(now + self._options.retry, following)
        refused = replace(schedule, retry_at=retry_at, last_error=reason, last_error_at=now)
        await transaction.report_schedules.save(refused)
        log.info("schedule %s: no report until %s: %s", schedule.id, retry_at, reason)

    async def _postpone(self, schedule_id: UUID) -> None:
        """Have a schedule that ran into a fault wait, so that others have their turn."""
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            await transaction.report_schedules.postpone(schedule_id, now + self._options.retry, FAULT, now)

    async def _note_unfinished(self, unfinished: UnfinishedReport) -> None:
        """Note that the last report of a schedule will not come, unless another node has, or there is a newer one."""
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            schedule = await transaction.report_schedules.get_for_update(unfinished.user_id, unfinished.schedule_id)
            if schedule is None or not schedule.is_open or schedule.last_report_id != unfinished.report_id:
                return
            error = unfinished.message or "The report is gone."
            closed = replace(schedule, is_open=False, last_error=error, last_error_at=now)
            await transaction.report_schedules.save(closed)
            report = await transaction.reports.get_report(schedule.user_id, unfinished.report_id)
            if report is not None:
                transaction.events.append([failure_event(schedule, report, error, now)])


def _is_due(schedule: ReportSchedule, now: datetime) -> bool:
    return schedule.status is ReportScheduleStatus.ACTIVE and (schedule.retry_at or schedule.due_at) <= now


def _job_of(report: Report) -> Job:
    return Job(
        report.job_id,
        report.user_id,
        JobKind.REPORT,
        report.created_at,
        result_type="Report",
        result_id=report.id,
    )


async def _reason_to_end(transaction: UnitOfWork, schedule: ReportSchedule, run: ScheduledRun) -> str | None:
    """Return why there is nothing to report in this period and later; None if there may be."""
    try:
        end = await end_of_subject(transaction, schedule.user_id, schedule.scope, schedule.scope_id)
    except InputError:
        return "What it reports on is gone."
    if end is None or end[1] > run.start:
        return None
    if schedule.scope is ReportScope.STRATEGY and await transaction.reports.sessions_of_strategy(
        schedule.user_id, schedule.scope_id, run.start, run.end, 1
    ):
        return None  # it is archived, and what was started before goes on
    return f"{end[0]} at {end[1]:%Y-%m-%dT%H:%M:%SZ}, so there is nothing more to report."


async def _end(transaction: UnitOfWork, schedule: ReportSchedule, reason: str, now: datetime) -> None:
    ended = replace(schedule, status=ReportScheduleStatus.ENDED, retry_at=None, last_error=reason, last_error_at=now)
    await transaction.report_schedules.save(ended)
    message = f"The schedule {schedule.name} of reports has ended. {reason}"
    transaction.events.append([NewEvent(schedule.user_id, now, UserEventKind.ALERT, None, message)])


async def _unreachable(transaction: UnitOfWork, schedule: ReportSchedule) -> str | None:
    """Return that nobody will get the report, if all channels that the schedule names were deleted."""
    if not schedule.channel_ids:
        return None
    known = {channel.id for channel in await transaction.channels.list_of_user(schedule.user_id)}
    if known & set(schedule.channel_ids):
        return None
    return "Its notification channels were deleted, so nobody is sent the report; name others."
