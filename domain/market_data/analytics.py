"""Computes from a market's stored history: volume profiles, past books, indicators and trends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from domain.core.clock import Clock
from domain.core.errors import FaultCode, RequestFault
from domain.core.pagination import TimeKeysetPage
from domain.core.time import validate_time_range
from domain.indicators.series import MAX_TIMES, IndicatorSeries, indicator_query, indicator_series
from domain.indicators.trend import Trend, bars_needed, latest_trend
from domain.indicators.volume_profile import (
    VolumeProfile,
    VolumeSource,
    bin_trades,
    build_profile,
    coarse_bins,
    make_bins,
    pick_source,
    price_range,
    rebin,
    to_levels,
)
from domain.market_data.history import MarketHistory
from domain.market_data.past import past_until, read_by
from domain.model.depth_views import DepthLevels
from domain.model.markets import Candle, Depth, Market, Timeframe
from domain.model.volume import Bins, BinVolume, PriceRange, PriceVolume
from domain.ports.market_data import MarketHistoryRepository
from domain.ports.unit_of_work import Database

MAX_BINS = 1_000
MAX_PROFILE = timedelta(days=31)
MAX_SNAPSHOTS = 1_000
DEFAULT_TIMES = 500
"""How many values of an indicator are returned if neither a start nor a number is given."""


@dataclass(frozen=True, slots=True)
class IndicatorRequest:
    """An indicator, the parameters that aren't at their default, and its input series unless they are its own."""

    name: str
    parameters: Mapping[str, Decimal]
    inputs: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CandleRange:
    """The candles to return an indicator for: the newest `last` that opened from `start` to before `end`."""

    start: datetime | None = None
    end: datetime | None = None
    last: int | None = None


class MarketAnalytics:
    """Computes from stored trades, candles and snapshots; raises `RequestFault` (INVALID) for invalid arguments."""

    def __init__(self, database: Database, history: MarketHistory, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._history = history

    async def volume_profile(self, market: Market, start: datetime, end: datetime, bins: int) -> VolumeProfile:
        """Return the volume by price of a period of at most 31 days, in at most `bins` levels."""
        validate_time_range(start, end)
        _check_size("bins", bins, MAX_BINS)
        if end - start > MAX_PROFILE:
            raise _invalid(f"`from` and `to` are {(end - start).days} days apart; at most {MAX_PROFILE.days}.")
        missing = await self._history.missing_minutes(market.symbol, start, end)
        past = past_until(end, self._clock.now())
        async with read_by(self._database, past if not missing else None) as reading:
            profile = await _profile(reading.market_history, market, start, end, bins)
        return replace(profile, missing_minutes=missing)

    async def depth_history(
        self, market: Market, start: datetime, end: datetime, every_seconds: int, levels: DepthLevels
    ) -> Sequence[Depth]:
        """Return the first stored snapshot of each interval, oldest first; there may be at most 1,000 intervals."""
        validate_time_range(start, end)
        if every_seconds < 1:
            raise _invalid(f"`everySeconds` is {every_seconds}; it must be at least 1.")
        least = -(-(end - start) // timedelta(seconds=MAX_SNAPSHOTS))
        if every_seconds < least:
            raise _invalid(
                f"That could be more than {MAX_SNAPSHOTS:,} snapshots; give `everySeconds` of at least {least} or a "
                "shorter time from `from` to `to`."
            )
        async with read_by(self._database, past_until(end, self._clock.now())) as reading:
            return await reading.market_history.depth_history(market.symbol, start, end, every_seconds, levels.per_side)

    async def indicator(
        self, market: Market, timeframe: Timeframe, request: IndicatorRequest, candle_range: CandleRange
    ) -> IndicatorSeries | None:
        """Return an indicator at closed candles; None if there are none.

        Raises InputError or InputErrors for an unknown indicator and for inputs and parameters that it doesn't take.
        """
        query = indicator_query(request.name, request.parameters, request.inputs)
        validate_time_range(candle_range.start, candle_range.end)
        _check_size("last", candle_range.last, MAX_TIMES)
        candles, count = await self._candles(market, timeframe, candle_range, query.bars_before)
        return indicator_series(query, candles, count) if count else None

    async def trend(self, market: Market, timeframe: Timeframe) -> Trend | None:
        """Return the trend at the newest closed candle; None if too few without a gap precede it."""
        page = TimeKeysetPage(bars_needed(), backwards=True)
        return latest_trend(await self._history.candles(market.symbol, timeframe, page), timeframe)

    async def _candles(
        self, market: Market, timeframe: Timeframe, candle_range: CandleRange, bars_before: int
    ) -> tuple[Sequence[Candle], int]:
        """Return the candles to compute with, those needed before the range included, and how many are in the range."""
        is_bounded = candle_range.last is not None or candle_range.start is not None
        last = candle_range.last if is_bounded else DEFAULT_TIMES
        limit = bars_before + (MAX_TIMES + 1 if last is None else last)
        start = None if candle_range.start is None else _before(candle_range.start, bars_before * timeframe.duration)
        page = TimeKeysetPage(limit, start, candle_range.end, backwards=last is not None)
        candles = await self._history.candles(market.symbol, timeframe, page)
        count = sum(1 for candle in candles if candle_range.start is None or candle.open_time >= candle_range.start)
        if last is None and count > MAX_TIMES:
            raise _invalid(
                f"There are more than {MAX_TIMES:,} candles from `from` on; give `to`, or how many of the `last`."
            )
        return candles, count if last is None else min(count, last)


async def _profile(
    history: MarketHistoryRepository, market: Market, start: datetime, end: datetime, max_bins: int
) -> VolumeProfile:
    sums = await history.summed_prices(market.symbol, start, end)
    summed = price_range(sums)
    candles = await history.candle_range(market.symbol, start, end)
    source = pick_source(summed, candles)
    if source is VolumeSource.CANDLES and candles is not None:
        bins = make_bins(candles, max_bins, market.price_increment)
        volumes = await history.candle_volumes(market.symbol, start, end, bins)
    elif summed is not None:
        bins, volumes = await _bin_by_trades(history, market, (start, end), sums, summed, max_bins)
    else:
        return VolumeProfile(start, end, source)
    return build_profile(start, end, source, to_levels(bins, volumes), market.price_increment)


async def _bin_by_trades(
    history: MarketHistoryRepository,
    market: Market,
    period: tuple[datetime, datetime],
    sums: Sequence[PriceVolume],
    summed: PriceRange,
    max_bins: int,
) -> tuple[Bins, list[BinVolume]]:
    """Return the volumes from the sums if they are fine enough for the bins, else from the trades themselves."""
    bins = rebin(summed, max_bins, market.price_increment)
    if bins is None:
        traded = await history.traded_range(market.symbol, *period)
        if traded is not None and traded.volume >= summed.volume:
            bins = make_bins(traded, max_bins, market.price_increment)
            return bins, await history.traded_volumes(market.symbol, *period, bins)
        bins = coarse_bins(summed, max_bins)
    return bins, bin_trades(sums, bins)


def _before(at: datetime, duration: timedelta) -> datetime:
    return at - min(duration, at - datetime.min.replace(tzinfo=UTC))


def _check_size(name: str, size: int | None, maximum: int) -> None:
    if size is not None and not 1 <= size <= maximum:
        raise _invalid(f"`{name}` is {size}; it must be from 1 to {maximum:,}.")


def _invalid(message: str) -> RequestFault:
    return RequestFault(FaultCode.INVALID, message)
