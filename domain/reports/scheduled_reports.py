"""The events of scheduled reports: that one is ready, with its summary, or that it will not come."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from domain.model.events import NewEvent, UserEventKind
from domain.model.report_schedules import ReportSchedule, ScheduledReport
from domain.model.reports import Report, ReportFile, ReportFormat, ReportResult
from domain.ports.unit_of_work import UnitOfWork


async def ready_event(
    transaction: UnitOfWork, report: Report, result: ReportResult, files: list[ReportFile], now: datetime
) -> NewEvent:
    """Return the event of a report that is ready; its schedule, if it has one, waits for it no longer."""
    schedule = await _schedule_of(transaction, report)
    if schedule is None:
        return NewEvent(report.user_id, now, UserEventKind.REPORT, report)
    if schedule.last_report_id == report.id:
        await transaction.report_schedules.save(replace(schedule, is_open=False))
    metrics = result.metrics
    ready = replace(
        _of(schedule, report),
        currency=metrics.currency,
        net_profit=metrics.net_profit,
        net_profit_percent=metrics.net_profit_percent,
        end_equity=metrics.end_equity,
        max_drawdown_percent=metrics.max_drawdown_percent,
        round_trips=metrics.round_trips,
        fees=metrics.fees,
        page_id=_page(files),
    )
    return NewEvent(report.user_id, now, UserEventKind.REPORT, ready)


def failure_event(schedule: ReportSchedule, report: Report, error: str, now: datetime) -> NewEvent:
    """Return the event of a scheduled report that will not come."""
    return NewEvent(report.user_id, now, UserEventKind.REPORT, replace(_of(schedule, report), error=error))


async def _schedule_of(transaction: UnitOfWork, report: Report) -> ReportSchedule | None:
    if report.schedule_id is None:
        return None
    return await transaction.report_schedules.get_for_update(report.user_id, report.schedule_id)


def _of(schedule: ReportSchedule, report: Report) -> ScheduledReport:
    return ScheduledReport(
        id=schedule.id,
        user_id=schedule.user_id,
        report_id=report.id,
        name=schedule.name,
        cadence=schedule.cadence,
        scope=report.scope,
        from_=report.from_,
        to=report.to,
        period=(report.schedule_period or "").partition(":")[2],
        left_out=schedule.left_out if schedule.last_report_id == report.id else 0,
        channel_ids=schedule.channel_ids,
    )


def _page(files: list[ReportFile]) -> UUID | None:
    return next((file.id for file in files if file.format is ReportFormat.HTML), None)
