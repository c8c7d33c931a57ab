"""Schedules of reports."""

from uuid import UUID

from domain.core.pagination import CursorScope, Page
from domain.model.notifications import NotificationChannel
from domain.model.report_schedules import ReportSchedule, ReportScheduleStatus, ScheduledReport
from domain.model.users import ApiScope, User
from domain.ports.lists import NoFilter
from domain.reports.schedule_requests import ScheduleChanges, ScheduleRequest
from resolvers.context import RequestContext
from resolvers.ids import encode_id
from resolvers.lists import TimeOrder, list_page, owned_by
from resolvers.pagination import PageArguments


async def schedules(
    context: RequestContext, user: User, page: PageArguments, order: TimeOrder = TimeOrder.NEWEST_FIRST
) -> Page[ReportSchedule]:
    """Return a page of the user's schedules."""
    scope = CursorScope("report-schedules", str(user.id))
    return await list_page(context.lists.report_schedules, scope, owned_by(user, NoFilter()), page, order)


def next_run_at(schedule: ReportSchedule) -> object | None:
    """Return when the next report is due, or is tried again; None if there is none."""
    return (schedule.retry_at or schedule.due_at) if schedule.status is ReportScheduleStatus.ACTIVE else None


async def last_report(context: RequestContext, schedule: ReportSchedule) -> object | None:
    """Return the last report of a schedule."""
    if schedule.last_report_id is None:
        return None
    return await context.node_loaders["Report"](str(schedule.last_report_id))


async def channels(context: RequestContext, schedule: ReportSchedule) -> list[NotificationChannel]:
    """Return the channels that a schedule names."""
    if not schedule.channel_ids:
        return []
    async with context.reads.read_only() as reading:
        known = await reading.channels.list_of_user(schedule.user_id)
    return [channel for channel in known if channel.id in schedule.channel_ids]


def schedule_id(report: ScheduledReport) -> str:
    """Return the global id of the schedule of a report."""
    return encode_id("ReportSchedule", report.id)


async def schedule_of(context: RequestContext, report: ScheduledReport) -> object | None:
    """Return the schedule of a report, as it is now."""
    return await context.node_loaders["ReportSchedule"](str(report.id))


async def report_of(context: RequestContext, report: ScheduledReport) -> object | None:
    """Return the report, as it is now."""
    return await context.node_loaders["Report"](str(report.report_id))


async def create(context: RequestContext, request: ScheduleRequest, idempotency_key: str | None) -> ReportSchedule:
    """Return a new schedule of the user."""
    user = context.require_user(ApiScope.TRADE)
    return await context.services.report_schedules.create(user.id, request, idempotency_key)


async def update(context: RequestContext, schedule_id: UUID, changes: ScheduleChanges) -> ReportSchedule:
    """Change a schedule of the user."""
    return await context.services.report_schedules.update(context.require_user(ApiScope.TRADE).id, schedule_id, changes)


async def delete(context: RequestContext, schedule_id: UUID) -> ReportSchedule:
    """Delete a schedule of the user."""
    return await context.services.report_schedules.delete(context.require_user(ApiScope.TRADE).id, schedule_id)
