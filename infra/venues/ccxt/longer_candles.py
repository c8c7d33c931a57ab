"""Builds candles of a timeframe that a venue lacks, or starts at other times than the engine, from shorter ones."""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime

from domain.market_data.candles import resample
from domain.market_data.history_download import SMALLEST_PAGE
from domain.model.markets import Candle, Timeframe
from domain.ports.market_data import VenueUnreachable

MAX_PAGES = 10

FetchPage = Callable[[Timeframe, datetime, int], Awaitable[list[Candle]]]
"""Fetches at most so many candles of a timeframe from a time on, oldest first; the last may be forming."""


def source_timeframe(
    timeframe: Timeframe, offered: Collection[str], off_grid: Collection[Timeframe] = ()
) -> Timeframe | None:
    """Return the timeframe to fetch: the same if offered, else the longest offered that divides it, else None."""
    usable = [candidate for candidate in Timeframe if candidate.venue_name in offered and candidate not in off_grid]
    if timeframe in usable:
        return timeframe
    return next((shorter for shorter in reversed(usable) if shorter.divides(timeframe)), None)


def is_on_grid(candles: Collection[Candle]) -> bool:
    """Return whether candles open when the engine's do; some venues' weeks start on Thursdays, as 1970 did."""
    return all(candle.open_time == candle.timeframe.open_time(candle.open_time) for candle in candles)


async def build_longer_candles(
    fetch: FetchPage, parts: Timeframe, timeframe: Timeframe, start: datetime | None, limit: int, now: datetime
) -> list[Candle]:
    """Return at most `limit` candles of `timeframe` made of those of `parts`, oldest first; the newest without `start`.

    The number of pages is bounded, so fewer candles may be returned. Raises `VenueUnreachable`.
    """
    count = timeframe.seconds // parts.seconds
    max_pages = max(MAX_PAGES, count)  # so that a page here covers as many candles as one of the venue
    if start is None:
        limit = min(limit, max_pages * SMALLEST_PAGE // count)
        first = timeframe.open_time(now) - (limit - 1) * timeframe.duration
    else:
        opened = timeframe.open_time(start)
        first = opened if opened == start else opened + timeframe.duration
    end = min(first + limit * timeframe.duration, parts.open_time(now) + parts.duration)
    found, until = await _pages(fetch, parts, first, end, max_pages)
    # Beyond the last page nothing is known, so a candle that reaches there is neither forming nor closed.
    candles = resample(found, timeframe, first, min(until, now))
    return [candle for candle in candles if candle.closed or until >= now][:limit]


async def _pages(
    fetch: FetchPage, parts: Timeframe, first: datetime, end: datetime, max_pages: int
) -> tuple[list[Candle], datetime]:
    """Return the candles that open within [first, end), and the time up to which they are known."""
    found: list[Candle] = []
    at = first
    for _ in range(max_pages):
        if at >= end:
            break
        page = [candle for candle in await fetch(parts, at, (end - at) // parts.duration) if candle.open_time >= at]
        found += page
        at = page[-1].close_time if page else at + SMALLEST_PAGE * parts.duration
    return [candle for candle in found if candle.open_time < end], at


def missing_timeframe_error(venue: str, timeframe: Timeframe, offered: Collection[str]) -> VenueUnreachable:
    """Return the error for a timeframe that a venue neither has nor has shorter ones for."""
    return VenueUnreachable(
        f"{venue} has no {timeframe.venue_name} candles, nor shorter ones to make them of; "
        f"it has {', '.join(offered) or 'none'}"
    )
