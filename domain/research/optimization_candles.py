"""The candles of an optimization: fetched and checked once, then read by every worker."""

from collections.abc import Sequence

from domain.backtest.bars import Bars
from domain.model.optimizations import Optimization
from domain.optimization.search import search_of
from domain.optimization.space import largest_warm_up
from domain.research.candle_loader import BarSource, CandleLoader, CandleRequest
from domain.research.compute_pool import OnProgress


class OptimizationCandles:
    """Loads the candles of optimizations, with those that warm up the strategy before the first fold."""

    def __init__(self, loader: CandleLoader, bars: BarSource) -> None:
        self._loader = loader
        self._bars = bars

    async def prepare(self, optimization: Optimization, on_progress: OnProgress) -> Sequence[str]:
        """Have missing candles fetched; return what of them there isn't, as sentences. Raises `JobFailed`."""
        return (await self._loader.load(_request(optimization), on_progress)).notes

    async def read(self, optimization: Optimization) -> Bars:
        """Return the stored candles; raises `Unavailable`."""
        request = _request(optimization)
        return await self._bars.read(request.market, request.timeframe, request.first, request.end, lambda _rows: None)


def _request(optimization: Optimization) -> CandleRequest:
    space = search_of(optimization).space
    return CandleRequest(
        optimization.market.symbol,
        optimization.timeframe,
        optimization.period_start,
        optimization.period_end,
        largest_warm_up(optimization.definition, space, optimization.timeframe),
    )
