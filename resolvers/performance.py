"""What reports and backtests have in common: an equity curve, and pages of round trips."""

from collections.abc import Sequence
from uuid import UUID

from domain.core.errors import FaultCode, RequestFault
from domain.core.pagination import CursorScope, Page, page_request, slice_page
from domain.model.reports import EquityPoint, RoundTrip
from domain.performance.equity_curve import downsample
from resolvers.pagination import PageArguments

MAX_POINTS = 5_000


def curve_points(curve: Sequence[EquityPoint], points: int) -> Sequence[EquityPoint]:
    """Return the curve with at most `points` points."""
    if not 1 <= points <= MAX_POINTS:
        raise RequestFault(FaultCode.INVALID, f"`points` is {points}; it must be from 1 to {MAX_POINTS:,}.")
    return downsample(curve, points)


def round_trip_scope(owner_id: UUID) -> CursorScope:
    """Return the list of the round trips of a report or a backtest."""
    return CursorScope("round-trips", str(owner_id))


def round_trip_page(owner_id: UUID, trips: Sequence[RoundTrip], page: PageArguments) -> Page[RoundTrip]:
    """Return a page of round trips that are all in memory, in the order of opening."""
    request = page_request(round_trip_scope(owner_id), page.first, page.after, page.last, page.before)
    numbers = {id(trip): str(number) for number, trip in enumerate(trips)}
    return slice_page(request, trips, lambda trip: (numbers[id(trip)],))
