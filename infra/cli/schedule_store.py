"""Reads and stores the schedules of reports for `r3edge report schedule`, with or without a running engine."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.core.errors import InputError
from domain.model.report_schedules import Recurrence, ReportSchedule, ReportScheduleStatus
from domain.model.reports import Report
from domain.ports.unit_of_work import UnitOfWork
from domain.reports.schedule_requests import ScheduleRequest
from domain.reports.schedule_service import ReportScheduleService
from domain.reports.titles import report_title
from infra.cli.arguments import BadArgument, unknown_name
from infra.cli.channel_names import found_channel_ids
from infra.cli.report_files import Subject, check_subject, open_report_database, report_request
from infra.cli.strategy_store import found_user_id
from infra.clock import SystemClock, TimeOrderedIds
from infra.settings import Settings
from resolvers.ids import encode_id, uuid_in


@dataclass(frozen=True, slots=True)
class ShownSchedule:
    """A schedule with the names of what its ids name."""

    schedule: ReportSchedule
    about: str
    channels: tuple[str, ...]
    time_zone: str

    @property
    def id(self) -> str:
        """The id by which the API knows it."""
        return encode_id("ReportSchedule", self.schedule.id)

    @property
    def next_run_at(self) -> datetime | None:
        """When the next report is made; None if none will be."""
        is_active = self.schedule.status is ReportScheduleStatus.ACTIVE
        return (self.schedule.retry_at or self.schedule.due_at) if is_active else None


async def read_schedules(settings: Settings, email: str | None) -> list[ShownSchedule]:
    """Return the schedules of a user, oldest first; raises `BadArgument`."""
    async with open_report_database(settings) as database, database.read_only() as reading:
        user_id = await found_user_id(reading, email)
        return [await _shown(reading, each) for each in await reading.report_schedules.list_of_user(user_id)]


async def store_schedule(
    settings: Settings, name: str, subject: Subject, recurrence: Recurrence, channels: Sequence[str]
) -> ShownSchedule:
    """Store a schedule for a user; raises `BadArgument`, and what `ReportScheduleService.create` raises."""
    check_subject(subject)
    async with open_report_database(settings) as database:
        async with database.read_only() as reading:
            user_id = await found_user_id(reading, subject.user)
            asked = await report_request(reading, user_id, subject)
            channel_ids = await found_channel_ids(reading, user_id, channels)
            markets = {market.symbol: market for market in await reading.market_data.markets()}
        service = ReportScheduleService(database, markets.get, SystemClock(), TimeOrderedIds())
        request = ScheduleRequest(name, asked.scope, asked.scope_id, recurrence, channel_ids, asked.benchmark)
        schedule = await service.create(user_id, request, None)
        async with database.read_only() as reading:
            return await _shown(reading, schedule)


async def delete_schedule(settings: Settings, email: str | None, name_or_id: str) -> str:
    """Delete a schedule of a user, and return its name; raises `BadArgument`."""
    async with open_report_database(settings) as database:
        async with database.read_only() as reading:
            user_id = await found_user_id(reading, email)
            schedules = await reading.report_schedules.list_of_user(user_id)
        schedule_id = uuid_in(name_or_id, "ReportSchedule")
        found = [each for each in schedules if each.id == schedule_id or each.name == name_or_id.strip()]
        if not found:
            raise unknown_name("schedule", name_or_id, [each.name for each in schedules])
        if len(found) > 1:
            listed = ", ".join(encode_id("ReportSchedule", each.id) for each in found)
            raise BadArgument(f"the user has {len(found)} schedules {name_or_id!r}; their ids are {listed}")
        service = ReportScheduleService(database, lambda _market: None, SystemClock(), TimeOrderedIds())
        try:
            return (await service.delete(user_id, found[0].id)).name
        except InputError as error:  # it was deleted meanwhile
            raise BadArgument(str(error)) from None


async def _shown(reading: UnitOfWork, schedule: ReportSchedule) -> ShownSchedule:
    user = await reading.users.get(schedule.user_id)
    channels = await reading.channels.list_of_user(schedule.user_id)
    names = tuple(channel.name for channel in channels if channel.id in schedule.channel_ids)
    time_zone = "UTC" if user is None else user.time_zone
    return ShownSchedule(schedule, await report_title(reading, _as_report(schedule)), names, time_zone)


def _as_report(schedule: ReportSchedule) -> Report:
    """Return a report of the schedule, for its title alone."""
    at = schedule.created_at
    return Report(schedule.id, schedule.user_id, schedule.scope, schedule.scope_id, at, at, at, schedule.id)
