"""Jobs and reports."""

from collections.abc import Sequence

from domain.errors import FaultCode, RequestFault
from domain.pagination import CursorScope, Page, page_request, slice_page
from domain.reports.equity_curve import thinned
from domain.reports.service import ReportRequest
from domain.reports.types import EquityPoint, Job, JobStatus, PerformanceMetrics, Report, RoundTrip
from domain.users.types import ApiScope, User
from resolvers.context import RequestContext
from resolvers.filters import filter_values
from resolvers.paging import PageArguments, page_by_id

MAX_POINTS = 5_000


async def jobs(
    context: RequestContext, user: User, page: PageArguments, status: Sequence[JobStatus] | None
) -> Page[Job]:
    """Return the user's jobs that fit, newest first."""
    scope, wanted = CursorScope("jobs", str(user.id)), filter_values(status)
    return await page_by_id(context, scope, page, lambda reading, window: reading.reports.jobs(user.id, window, wanted))


async def of_user(context: RequestContext, user: User, page: PageArguments) -> Page[Report]:
    """Return the user's reports, newest first."""
    scope = CursorScope("reports", str(user.id))
    return await page_by_id(context, scope, page, lambda reading, window: reading.reports.reports(user.id, window))


async def result_of(context: RequestContext, job: Job) -> object | None:
    """Return what the job has made; None until it has succeeded."""
    if job.status is not JobStatus.SUCCEEDED or job.result_type is None:
        return None
    loader = context.node_loaders.get(job.result_type)
    return await loader(str(job.result_id)) if loader else None


async def job_of(context: RequestContext, report: Report) -> Job | None:
    """Return the job that computes the report."""
    return await context.loaders.jobs.load(report.job_id)


async def metrics(context: RequestContext, report: Report) -> PerformanceMetrics | None:
    """Return the figures; None until the job has succeeded."""
    result = await context.loaders.report_results.load(report.id)
    return result.metrics if result is not None else None


async def equity_curve(context: RequestContext, report: Report, points: int) -> Sequence[EquityPoint]:
    """Return the curve in at most `points` points; empty until the job has succeeded."""
    if not 1 <= points <= MAX_POINTS:
        raise RequestFault(FaultCode.INVALID, f"`points` is {points}; it must be from 1 to {MAX_POINTS:,}.")
    result = await context.loaders.report_results.load(report.id)
    return thinned(result.equity_curve, points) if result is not None else ()


async def round_trips(context: RequestContext, report: Report, page: PageArguments) -> Page[RoundTrip]:
    """Return the round trips in the order of their opening; empty until the job has succeeded."""
    scope = CursorScope("round-trips", str(report.id))
    request = page_request(scope, page.first, page.after, page.last, page.before)
    result = await context.loaders.report_results.load(report.id)
    trips = result.round_trips if result is not None else ()
    numbers = {id(trip): str(number) for number, trip in enumerate(trips)}
    return slice_page(request, trips, lambda trip: (numbers[id(trip)],))


async def generate(context: RequestContext, request: ReportRequest, idempotency_key: str | None) -> Report:
    """Have a report computed."""
    user = context.require_user(ApiScope.READ)
    return await context.services.reports.generate(user.id, request, idempotency_key)
