"""Candles of a timeframe that a venue lacks, or begins at other times than the engine, made of shorter ones it has."""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime

from domain.market_data.candles import resample
from domain.market_data.history_download import SMALLEST_PAGE
from domain.model.markets import Candle, Timeframe
from domain.ports.market_data import VenueUnreachable

MOST_PAGES = 10

Page = Callable[[Timeframe, datetime, int], Awaitable[list[Candle]]]
"""Asks for candles of a timeframe from a time on, how many at most; oldest first, the last may be forming."""


def parts_of(timeframe: Timeframe, offered: Collection[str], off_grid: Collection[Timeframe] = ()) -> Timeframe | None:
    """Return the timeframe to ask a venue for: the same, else the longest offered that it can be made of, else None."""
    usable = [each for each in Timeframe if each.venue_name in offered and each not in off_grid]
    if timeframe in usable:
        return timeframe
    return next((each for each in reversed(usable) if each.divides(timeframe)), None)


def is_on_grid(candles: Collection[Candle]) -> bool:
    """Tell whether candles begin when the engine's do; some venues' weeks begin on Thursdays, where 1970 began."""
    return all(candle.open_time == candle.timeframe.open_time(candle.open_time) for candle in candles)


async def longer_candles(
    ask: Page, parts: Timeframe, timeframe: Timeframe, start: datetime | None, limit: int, now: datetime
) -> list[Candle]:
    """Return at most `limit` candles of `timeframe` out of those of `parts`, oldest first, the newest without `start`.

    As many pages are asked for as it takes, within reason: fewer candles may come back. Raises `VenueUnreachable`.
    """
    count = timeframe.seconds // parts.seconds
    most = max(MOST_PAGES, count)  # so that no fewer candles are looked at than a venue looks at on one page
    if start is None:
        limit = min(limit, most * SMALLEST_PAGE // count)
        first = timeframe.open_time(now) - (limit - 1) * timeframe.duration
    else:
        opened = timeframe.open_time(start)
        first = opened if opened == start else opened + timeframe.duration
    end = min(first + limit * timeframe.duration, parts.open_time(now) + parts.duration)
    found, until = await _pages(ask, parts, first, end, most)
    # What lies beyond the last page isn't known: a candle that reaches there is neither forming nor closed.
    candles = resample(found, timeframe, first, min(until, now))
    return [candle for candle in candles if candle.closed or until >= now][:limit]


async def _pages(
    ask: Page, parts: Timeframe, first: datetime, end: datetime, most: int
) -> tuple[list[Candle], datetime]:
    """Return the candles that open from `first` to before `end`, and up to when they are known."""
    found: list[Candle] = []
    at = first
    for _ in range(most):
        if at >= end:
            break
        page = [candle for candle in await ask(parts, at, (end - at) // parts.duration) if candle.open_time >= at]
        found += page
        at = page[-1].close_time if page else at + SMALLEST_PAGE * parts.duration
    return [candle for candle in found if candle.open_time < end], at


def lacks(venue: str, timeframe: Timeframe, offered: Collection[str]) -> VenueUnreachable:
    """Return the error for a timeframe that a venue neither has nor has the parts of."""
    return VenueUnreachable(
        f"{venue} has no {timeframe.venue_name} candles, nor shorter ones to make them of; "
        f"it has {', '.join(offered) or 'none'}"
    )
