"""Reports of backtests: the figures that the backtest has, under a report's id."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from domain.core.errors import ErrorCode, InputError
from domain.model.backtests import BacktestOutcome
from domain.model.jobs import JobStatus
from domain.model.markets import MarketSymbol
from domain.model.reports import PerformanceMetrics, Report, ReportNote, ReportNoteCode, ReportResult
from domain.ports.unit_of_work import UnitOfWork
from domain.reports.request import ReportRequest, nothing_to_report
from domain.reports.subject import EmptyReport

_STATES = {
    JobStatus.QUEUED: "still waits to run",
    JobStatus.RUNNING: "still runs",
    JobStatus.FAILED: "has failed",
    JobStatus.CANCELED: "was cancelled",
}


async def backtest_period(transaction: UnitOfWork, user_id: UUID, request: ReportRequest) -> tuple[datetime, datetime]:
    """Return the period of a backtest that has succeeded; raises NOT_FOUND, CONFLICT, and INVALID for another one."""
    backtest = await transaction.backtests.get(user_id, request.scope_id)
    job = None if backtest is None else await transaction.jobs.get(user_id, backtest.job_id)
    if backtest is None or job is None:
        raise nothing_to_report()
    if job.status is not JobStatus.SUCCEEDED:
        advice = "run it again." if job.finished_at is not None else "ask for the report once its job has succeeded."
        message = f"The backtest {_STATES[job.status]}, so there is no result to report on; {advice}"
        raise InputError(ErrorCode.CONFLICT, message, ("input", "scope"))
    period = backtest.period_start, backtest.period_end
    for name, asked, own in (("from", request.start, period[0]), ("to", request.end, period[1])):
        if asked is not None and asked != own:
            message = (
                f"A report of a backtest is about all of its period; leave `{name}` out, or give {own.isoformat()}. "
                "For a part of the period run a backtest over that part."
            )
            raise InputError(ErrorCode.INVALID, message, ("input", name))
    return period


async def backtest_result(reading: UnitOfWork, report: Report) -> ReportResult:
    """Return what the backtest of the report came to; raises `EmptyReport` if it is gone."""
    outcome = (await reading.backtests.outcomes([report.scope_id])).get(report.scope_id)
    if outcome is None:
        raise EmptyReport("The backtest is gone.")
    return ReportResult(_with_notes(outcome), outcome.equity_curve, outcome.round_trips)


async def backtest_market(reading: UnitOfWork, report: Report) -> MarketSymbol | None:
    """Return the market of the backtest of a report, if it is just one."""
    backtest = await reading.backtests.get(report.user_id, report.scope_id)
    return backtest.market if backtest is not None and len(backtest.markets) == 1 else None


def _with_notes(outcome: BacktestOutcome) -> PerformanceMetrics:
    notes = (ReportNote(ReportNoteCode.BACKTEST, note) for note in outcome.notes)
    return replace(outcome.metrics, notes=(*outcome.metrics.notes, *notes))
