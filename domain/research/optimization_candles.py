"""The candles of an optimization: fetched and checked once, then read by every worker."""

from collections.abc import Sequence

from domain.backtest.market_bars import MarketCandles
from domain.model.optimizations import Optimization
from domain.optimization.search import search_of
from domain.optimization.space import strategies_at_ends
from domain.research.candle_coverage import coverage_notes
from domain.research.candle_loader import BarSource, CandleLoader, read_candles
from domain.research.candle_needs import CandleNeeds, needs_of
from domain.research.compute_pool import OnProgress


class OptimizationCandles:
    """Loads the candles of optimizations, with those that warm up the strategy before the first fold."""

    def __init__(self, loader: CandleLoader, bars: BarSource) -> None:
        self._loader = loader
        self._bars = bars

    async def prepare(self, optimization: Optimization, on_progress: OnProgress) -> Sequence[str]:
        """Have missing candles fetched; return what of them there isn't, as sentences. Raises `JobFailed`."""
        needs = candles_of(optimization)
        return tuple(coverage_notes(needs, await self._loader.fetch_missing(needs, on_progress)))

    async def read(self, optimization: Optimization) -> Sequence[MarketCandles]:
        """Return the stored candles of each market; raises `Unavailable`, and `JobFailed` without any."""
        return await read_candles(self._bars, candles_of(optimization), lambda _share: None)


def candles_of(optimization: Optimization) -> CandleNeeds:
    """Return the candles that all trials of an optimization need together."""
    timeframe = optimization.timeframe
    strategies = strategies_at_ends(optimization.definition, search_of(optimization).space, timeframe)
    period = (optimization.period_start, optimization.period_end)
    return needs_of(optimization.markets, timeframe, period, strategies, optimization.settings.detail_timeframe)
