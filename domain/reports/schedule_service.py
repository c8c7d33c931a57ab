"""Creates, changes and deletes the schedules of users' reports; `domain.reports.scheduler` makes the reports."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from domain.core.changes import UNCHANGED, reject_nulls, value_or_current
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import ErrorCode, InputError
from domain.core.time import zone_of
from domain.core.validation import normalise_name
from domain.events.idempotency import reserve
from domain.model.markets import MarketSymbol
from domain.model.plans import Entitlement
from domain.model.report_schedules import Recurrence, ReportSchedule, ReportScheduleStatus
from domain.model.users import User
from domain.ports.unit_of_work import Database, UnitOfWork
from domain.reports.recurrence import moved_run, next_run
from domain.reports.schedule_requests import ScheduleChanges, ScheduleRequest, check_recurrence, end_of_subject
from domain.reports.service import MarketLookup
from domain.users.activity import record_activity
from domain.users.entitlements import require_room
from domain.users.identity_lock import lock_user


class ReportScheduleService:
    """Manages the schedules of users' reports."""

    def __init__(self, database: Database, market: MarketLookup, clock: Clock, ids: IdGenerator) -> None:
        self._database = database
        self._market = market
        self._clock = clock
        self._ids = ids

    async def create(self, user_id: UUID, request: ScheduleRequest, idempotency_key: str | None) -> ReportSchedule:
        """Store a schedule, whose first report is made at the next of its times.

        Raises `InputErrors`, NOT_FOUND for what isn't the user's, CONFLICT for what is over, UNSUPPORTED for a
        backtest, LIMIT_REACHED, and CONFLICT for the idempotency key.
        """
        name = normalise_name(request.name, "name")
        check_recurrence(request.recurrence)
        self._check_benchmark(request.benchmark)
        now, schedule_id, recurrence = self._clock.now(), self._ids.next_id(), request.recurrence
        async with self._database.transaction() as transaction:
            await lock_user(transaction, user_id)
            if idempotency_key is not None:
                known = await reserve(
                    transaction, self._clock, user_id, "reportScheduleCreate", idempotency_key, request, schedule_id
                )
                if known is not None:
                    return await _owned(transaction, user_id, known)
            await require_room(transaction, user_id, Entitlement.REPORT_SCHEDULES)
            schedule = ReportSchedule(
                id=schedule_id,
                user_id=user_id,
                name=name,
                scope=request.scope,
                scope_id=request.scope_id,
                cadence=recurrence.cadence,
                hour=recurrence.hour,
                weekday=recurrence.weekday,
                day_of_month=recurrence.day_of_month,
                status=ReportScheduleStatus.ACTIVE,
                created_at=now,
                due_at=await _next_time(transaction, user_id, recurrence, now),
                channel_ids=tuple(dict.fromkeys(request.channel_ids)),
                benchmark=request.benchmark,
            )
            await _check_subject(transaction, schedule)
            await _check_channels(transaction, schedule)
            await transaction.report_schedules.add(schedule)
            await self._record(transaction, schedule, "reportScheduleCreate")
        return schedule

    async def update(self, user_id: UUID, schedule_id: UUID, changes: ScheduleChanges) -> ReportSchedule:
        """Change a schedule, or enable it again; times that passed while it was disabled have no report.

        Raises as `create`.
        """
        reject_nulls(name=changes.name, recurrence=changes.recurrence, enabled=changes.enabled)
        if isinstance(changes.recurrence, Recurrence):
            check_recurrence(changes.recurrence)
        if isinstance(changes.benchmark, MarketSymbol):
            self._check_benchmark(changes.benchmark)
        now = self._clock.now()
        async with self._database.transaction() as transaction:
            await lock_user(transaction, user_id)
            stored = await _owned(transaction, user_id, schedule_id)
            changed = await _changed(transaction, stored, changes, now)
            await transaction.report_schedules.save(changed)
            await self._record(transaction, changed, "reportScheduleUpdate")
        return changed

    async def delete(self, user_id: UUID, schedule_id: UUID) -> ReportSchedule:
        """Delete a schedule, whose reports stay; raises NOT_FOUND."""
        async with self._database.transaction() as transaction:
            await lock_user(transaction, user_id)
            schedule = await _owned(transaction, user_id, schedule_id)
            await transaction.report_schedules.delete(schedule_id)
            await self._record(transaction, schedule, "reportScheduleDelete")
        return schedule

    def _check_benchmark(self, benchmark: MarketSymbol | None) -> None:
        if benchmark is not None and self._market(benchmark) is None:
            message = f"There is no market {benchmark}; `markets` lists all of them."
            raise InputError(ErrorCode.NOT_FOUND, message, ("input", "benchmark"))

    async def _record(self, transaction: UnitOfWork, schedule: ReportSchedule, action: str) -> None:
        subject, now = ("ReportSchedule", str(schedule.id)), self._clock.now()
        await record_activity(transaction, self._ids, now, schedule.user_id, action, subject, schedule.name)


async def follow_time_zone(transaction: UnitOfWork, user: User, before: str, now: datetime) -> None:
    """Have the user's schedules go by the time zone that the user has now, no more by `before`; the user is locked.

    What is due already is made as it was due, and so is a report whose time is over where the user is now.
    """
    for listed in await transaction.report_schedules.list_of_user(user.id):
        # Under its lock: that a report has come is noted without the user's.
        schedule = await transaction.report_schedules.get_for_update(user.id, listed.id)
        if schedule is not None and schedule.status is ReportScheduleStatus.ACTIVE and schedule.due_at > now:
            run = moved_run(schedule.recurrence, zone_of(before), zone_of(user.time_zone), schedule.due_at)
            await transaction.report_schedules.save(replace(schedule, due_at=run.at))


async def _changed(
    transaction: UnitOfWork, stored: ReportSchedule, changes: ScheduleChanges, now: datetime
) -> ReportSchedule:
    name = value_or_current(changes.name, stored.name) or stored.name
    recurrence = value_or_current(changes.recurrence, stored.recurrence) or stored.recurrence
    changed = replace(
        stored,
        name=normalise_name(name, "name"),
        cadence=recurrence.cadence,
        hour=recurrence.hour,
        weekday=recurrence.weekday,
        day_of_month=recurrence.day_of_month,
        channel_ids=_distinct(value_or_current(changes.channel_ids, stored.channel_ids)),
        benchmark=value_or_current(changes.benchmark, stored.benchmark),
    )
    if changes.channel_ids is not UNCHANGED:
        await _check_channels(transaction, changed)
    is_enabled = changes.enabled is True and stored.status is not ReportScheduleStatus.ACTIVE
    if is_enabled:
        await _check_subject(transaction, changed)
        changed = replace(changed, status=ReportScheduleStatus.ACTIVE, last_error=None, last_error_at=None)
    elif changes.enabled is False and stored.status is ReportScheduleStatus.ACTIVE:
        changed = replace(changed, status=ReportScheduleStatus.DISABLED)
    if is_enabled or recurrence != stored.recurrence:
        due_at = await _next_time(transaction, stored.user_id, recurrence, now)
        changed = replace(changed, due_at=due_at, retry_at=None)
    return changed


def _distinct(channel_ids: Sequence[UUID] | None) -> tuple[UUID, ...]:
    return tuple(dict.fromkeys(channel_ids or ()))


async def _next_time(transaction: UnitOfWork, user_id: UUID, recurrence: Recurrence, now: datetime) -> datetime:
    user = await transaction.users.get(user_id)
    assert user is not None  # the row is locked
    return next_run(recurrence, zone_of(user.time_zone), now).at


async def _owned(transaction: UnitOfWork, user_id: UUID, schedule_id: UUID) -> ReportSchedule:
    schedule = await transaction.report_schedules.get_for_update(user_id, schedule_id)
    if schedule is None:
        raise InputError(ErrorCode.NOT_FOUND, "You have no such schedule of reports.", ("id",))
    return schedule


async def _check_subject(transaction: UnitOfWork, schedule: ReportSchedule) -> None:
    """Raise NOT_FOUND for what isn't the user's, and CONFLICT for what is over: nothing would come of it."""
    end = await end_of_subject(transaction, schedule.user_id, schedule.scope, schedule.scope_id)
    if end is not None:
        what, at = end
        message = f"{what} at {at:%Y-%m-%dT%H:%M:%SZ}, so there is nothing more to report."
        raise InputError(ErrorCode.CONFLICT, message, ("input", "scope"))


async def _check_channels(transaction: UnitOfWork, schedule: ReportSchedule) -> None:
    for channel_id in schedule.channel_ids:
        if await transaction.channels.get(schedule.user_id, channel_id) is None:
            raise InputError(ErrorCode.NOT_FOUND, "You have no such notification channel.", ("input", "channels"))
