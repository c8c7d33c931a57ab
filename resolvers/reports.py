"""Reports."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from domain.core.pagination import CursorScope, Page
from domain.model.backtests import Backtest
from domain.model.jobs import Job
from domain.model.markets import MarketSymbol
from domain.model.report_schedules import ReportSchedule
from domain.model.reports import (
    EquityPoint,
    PerformanceMetrics,
    Report,
    ReportFormat,
    ReportPart,
    ReportResult,
    ReportScope,
    RoundTrip,
)
from domain.model.statistics import Figure
from domain.model.strategies import Strategy
from domain.model.trading import Account, TradingSession
from domain.model.users import ApiScope, User
from domain.performance.statistics.catalogue import figures
from domain.ports.lists import ReportFilter
from domain.reports.request import ReportRequest
from resolvers.context import RequestContext
from resolvers.jobs import has_succeeded
from resolvers.lists import TimeOrder, list_page, owned_by
from resolvers.pagination import PageArguments
from resolvers.performance import curve_points, round_trip_page

REPORT_PATH: Final = "/reports/"


@dataclass(frozen=True, slots=True)
class DownloadLink:
    """A file of a report, and the path of a link to it that is good for a short time."""

    format: ReportFormat
    url: str
    bytes: int
    expires_at: datetime


async def user_reports(
    context: RequestContext,
    user: User,
    page: PageArguments,
    filter: ReportFilter,
    order: TimeOrder = TimeOrder.NEWEST_FIRST,
) -> Page[Report]:
    """Return a page of the user's reports."""
    scope = CursorScope("reports", str(user.id))
    return await list_page(context.lists.reports, scope, owned_by(user, filter), page, order)


async def report_subject(
    context: RequestContext, report: Report | ReportSchedule
) -> Account | TradingSession | Strategy | Backtest | User | None:
    """Return what the report, or what a schedule makes, is about."""
    if report.scope is ReportScope.ACCOUNT:
        return await context.loaders.accounts.load(report.scope_id)
    if report.scope is ReportScope.TRADING_SESSION:
        return await context.loaders.trading_sessions.load(report.scope_id)
    if report.scope is ReportScope.STRATEGY:
        return await context.loaders.strategies.load(report.scope_id)
    if report.scope is ReportScope.USER:
        return context.require_user(ApiScope.READ)
    return await context.loaders.backtests.load(report.scope_id)


async def report_job(context: RequestContext, report: Report) -> Job | None:
    """Return the job that computes the report."""
    return await context.loaders.jobs.load(report.job_id)


async def report_schedule(context: RequestContext, report: Report) -> object | None:
    """Return the schedule that made the report; None if it was asked for, or the schedule was deleted."""
    if report.schedule_id is None:
        return None
    return await context.node_loaders["ReportSchedule"](str(report.schedule_id))


async def metrics(context: RequestContext, report: Report) -> PerformanceMetrics | None:
    """Return the metrics; None until the job has succeeded."""
    result = await _result(context, report)
    return result.metrics if result is not None else None


async def equity_curve(context: RequestContext, report: Report, points: int) -> Sequence[EquityPoint]:
    """Return the equity curve with at most `points` points; empty until the job has succeeded."""
    result = await _result(context, report)
    return curve_points(() if result is None else result.equity_curve, points)


async def round_trips(context: RequestContext, report: Report, page: PageArguments) -> Page[RoundTrip]:
    """Return a page of round trips in the order of opening; empty until the job has succeeded."""
    result = await _result(context, report)
    return round_trip_page(report.id, () if result is None else result.round_trips, page)


async def downloads(context: RequestContext, report: Report) -> list[DownloadLink]:
    """Return links to the files of the report; none until the job has succeeded."""
    service = context.services.report_downloads
    links = ((file, service.link(file)) for file in await context.loaders.report_files.load(report.id))
    return [
        DownloadLink(file.format, f"{REPORT_PATH}{token}", file.size_bytes, expires_at)
        for file, (token, expires_at) in links
    ]


async def benchmark(context: RequestContext, report: Report) -> MarketSymbol | None:
    """Return the market that the report is compared with; None if there is none, or until the job has succeeded."""
    result = await _result(context, report)
    return None if result is None or result.benchmark is None else result.benchmark.market


async def parts(context: RequestContext, report: Report) -> Sequence[ReportPart]:
    """Return the parts of a report about several accounts or versions; none until the job has succeeded."""
    result = await _result(context, report)
    return () if result is None else result.parts


async def report_figures(context: RequestContext, report: Report) -> Sequence[Figure]:
    """Return the figures beside the metrics; none until the job has succeeded."""
    result = await _result(context, report)
    return () if result is None else await asyncio.to_thread(figures, result)


async def generate(context: RequestContext, request: ReportRequest, idempotency_key: str | None) -> Report:
    """Request a report."""
    user = context.require_user(ApiScope.READ)
    return await context.services.reports.generate(user.id, request, idempotency_key)


async def _result(context: RequestContext, report: Report) -> ReportResult | None:
    if not await has_succeeded(context, report.job_id):
        return None
    return await context.loaders.report_results.load(report.id)
