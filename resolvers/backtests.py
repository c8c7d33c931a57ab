"""Backtests."""

from collections.abc import Sequence
from dataclasses import replace

from domain.core.pagination import CursorScope, Page, build_page, invalid_cursor, page_request
from domain.model.backtests import Backtest, BacktestChecks, BacktestOutcome, RoundTripSlice
from domain.model.reports import EquityPoint, PerformanceMetrics, RoundTrip
from domain.model.users import ApiScope, User
from domain.ports.lists import NoFilter
from domain.research.backtest_service import BacktestRequest
from resolvers.context import RequestContext
from resolvers.jobs import has_succeeded
from resolvers.lists import TimeOrder, list_page, owned_by
from resolvers.pagination import PageArguments
from resolvers.performance import curve_points, round_trip_scope


async def backtests(
    context: RequestContext, user: User, page: PageArguments, order: TimeOrder = TimeOrder.NEWEST_FIRST
) -> Page[Backtest]:
    """Return a page of the user's backtests."""
    scope = CursorScope("backtests", str(user.id))
    return await list_page(context.lists.backtests, scope, owned_by(user, NoFilter()), page, order)


async def metrics(context: RequestContext, backtest: Backtest) -> PerformanceMetrics | None:
    """Return the metrics; None until the job has succeeded."""
    outcome = await _outcome(context, backtest)
    return None if outcome is None else outcome.metrics


async def fills_hash(context: RequestContext, backtest: Backtest) -> str | None:
    """Return the hash of all fills; None until the job has succeeded."""
    outcome = await _outcome(context, backtest)
    return None if outcome is None else outcome.hash


async def notes(context: RequestContext, backtest: Backtest) -> Sequence[str] | None:
    """Return what a reader must know about the result; None until the job has succeeded."""
    outcome = await _outcome(context, backtest)
    return None if outcome is None else outcome.notes


async def checks(context: RequestContext, backtest: Backtest) -> BacktestChecks | None:
    """Return what the checks have found; None until the job has succeeded, and without any."""
    outcome = await _outcome(context, backtest)
    return None if outcome is None else outcome.checks


async def equity_curve(context: RequestContext, backtest: Backtest, points: int) -> Sequence[EquityPoint]:
    """Return the equity curve with at most `points` points; empty until the job has succeeded."""
    outcome = await _outcome(context, backtest)
    return curve_points(() if outcome is None else outcome.equity_curve, points)


async def round_trips(context: RequestContext, backtest: Backtest, page: PageArguments) -> Page[RoundTrip]:
    """Return a page of round trips in the order of opening; empty until the job has succeeded."""
    request = page_request(round_trip_scope(backtest.id), page.first, page.after, page.last, page.before)
    after, before = request.numbers()
    found = RoundTripSlice()
    if await has_succeeded(context, backtest.job_id):
        async with context.reads.read_only() as reading:
            found = await reading.backtests.round_trips(
                backtest.id, request.limit + 1, after, before, backwards=request.backwards
            )
    if any(number is not None and number >= found.count for number in (after, before)):
        raise invalid_cursor()
    numbers = {id(trip): str(number) for number, trip in enumerate(found.trips, found.first)}

    async def count() -> int:
        return found.count

    return replace(build_page(request, found.trips, lambda trip: (numbers[id(trip)],)), count=count)


async def run(context: RequestContext, request: BacktestRequest, idempotency_key: str | None) -> Backtest:
    """Request a backtest."""
    user = context.require_user(ApiScope.READ)
    return await context.services.backtests.run(user.id, request, idempotency_key)


async def _outcome(context: RequestContext, backtest: Backtest) -> BacktestOutcome | None:
    if not await has_succeeded(context, backtest.job_id):
        return None
    return await context.loaders.backtest_outcomes.load(backtest.id)
