"""What is computed from a market's stored history when somebody asks: profiles, books, indicators and trends."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

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
from domain.model.depth_views import DepthLevels
from domain.model.markets import Candle, Depth, Market, Timeframe
from domain.model.volume import Bins, BinVolume, PriceRange, PriceVolume
from domain.ports.market_data import MarketHistoryRepository
from domain.ports.unit_of_work import Database

MAX_BINS = 1_000
MAX_PROFILE = timedelta(days=31)
MAX_SNAPSHOTS = 1_000
DEFAULT_TIMES = 500
"""How many values an indicator is shown at where neither a beginning nor a number is given."""


@dataclass(frozen=True, slots=True)
class IndicatorRequest:
    """Which indicator, with the parameters that aren't their default, and of which series where not its own."""

    name: str
    parameters: Mapping[str, Decimal]
    inputs: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class CandleRange:
    """Which candles an indicator is shown at: the newest `last` that opened from `start` up to, not at, `end`."""

    start: datetime | None = None
    end: datetime | None = None
    last: int | None = None


class MarketAnalytics:
    """Answers from stored trades, candles and snapshots; raises `RequestFault` (INVALID) for what can't be asked."""

    def __init__(self, database: Database, history: MarketHistory) -> None:
        self._database = database
        self._history = history

    async def volume_profile(self, market: Market, start: datetime, end: datetime, bins: int) -> VolumeProfile:
        """Return the volume by price of a period of at most 31 days, in at most `bins` levels."""
        validate_time_range(start, end)
        _check_size("bins", bins, MAX_BINS)
        if end - start > MAX_PROFILE:
            raise _invalid(f"`from` and `to` are {(end - start).days} days apart; at most {MAX_PROFILE.days}.")
        missing = await self._history.missing_minutes(market.symbol, start, end)
        async with self._database.read_only() as reading:
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
        async with self._database.read_only() as reading:
            return await reading.market_history.depth_history(market.symbol, start, end, every_seconds, levels.per_side)

    async def indicator(
        self, market: Market, timeframe: Timeframe, asked: IndicatorRequest, shown: CandleRange
    ) -> IndicatorSeries | None:
        """Return an indicator at closed candles; None where there are none.

        Raises InputError or InputErrors for an unknown indicator and for inputs and parameters that it doesn't take.
        """
        query = indicator_query(asked.name, asked.parameters, asked.inputs)
        validate_time_range(shown.start, shown.end)
        _check_size("last", shown.last, MAX_TIMES)
        candles, count = await self._candles(market, timeframe, shown, query.bars_before)
        return indicator_series(query, candles, count) if count else None

    async def trend(self, market: Market, timeframe: Timeframe) -> Trend | None:
        """Return the trend at the newest closed candle; None where there are too few without a gap before it."""
        window = TimeKeysetPage(bars_needed(), backwards=True)
        return latest_trend(await self._history.candles(market.symbol, timeframe, window), timeframe)

    async def _candles(
        self, market: Market, timeframe: Timeframe, shown: CandleRange, bars_before: int
    ) -> tuple[Sequence[Candle], int]:
        """Return the candles to show, with those that are needed before them, and how many are to be shown."""
        last = shown.last if shown.last is not None or shown.start is not None else DEFAULT_TIMES
        limit = bars_before + (MAX_TIMES + 1 if last is None else last)
        start = None if shown.start is None else _before(shown.start, bars_before * timeframe.duration)
        window = TimeKeysetPage(limit, start, shown.end, backwards=last is not None)
        candles = await self._history.candles(market.symbol, timeframe, window)
        count = sum(1 for candle in candles if shown.start is None or candle.open_time >= shown.start)
        if last is None and count > MAX_TIMES:
            raise _invalid(
                f"There are more than {MAX_TIMES:,} candles from `from` on; give `to`, or how many of the `last`."
            )
        return candles, count if last is None else min(count, last)


async def _profile(
    history: MarketHistoryRepository, market: Market, start: datetime, end: datetime, wanted: int
) -> VolumeProfile:
    sums = await history.summed_prices(market.symbol, start, end)
    summed = price_range(sums)
    candles = await history.candle_range(market.symbol, start, end)
    source = pick_source(summed, candles)
    if source is VolumeSource.CANDLES and candles is not None:
        bins = make_bins(candles, wanted, market.price_increment)
        volumes = await history.candle_volumes(market.symbol, start, end, bins)
    elif summed is not None:
        bins, volumes = await _of_trades(history, market, (start, end), sums, summed, wanted)
    else:
        return VolumeProfile(start, end, source)
    return build_profile(start, end, source, to_levels(bins, volumes), market.price_increment)


async def _of_trades(
    history: MarketHistoryRepository,
    market: Market,
    period: tuple[datetime, datetime],
    sums: Sequence[PriceVolume],
    summed: PriceRange,
    wanted: int,
) -> tuple[Bins, list[BinVolume]]:
    """Return the volumes from the sums where they are fine enough for the bins, else from the trades themselves."""
    bins = rebin(summed, wanted, market.price_increment)
    if bins is None:
        traded = await history.traded_range(market.symbol, *period)
        if traded is not None and traded.volume >= summed.volume:
            bins = make_bins(traded, wanted, market.price_increment)
            return bins, await history.traded_volumes(market.symbol, *period, bins)
        bins = coarse_bins(summed, wanted)
    return bins, bin_trades(sums, bins)


def _before(at: datetime, duration: timedelta) -> datetime:
    return at - min(duration, at - datetime.min.replace(tzinfo=UTC))


def _check_size(name: str, size: int | None, maximum: int) -> None:
    if size is not None and not 1 <= size <= maximum:
        raise _invalid(f"`{name}` is {size}; it must be from 1 to {maximum:,}.")


def _invalid(message: str) -> RequestFault:
    return RequestFault(FaultCode.INVALID, message)
