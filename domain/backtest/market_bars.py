"""The candles of one market made ready for backtests, of which many may run over the same."""

from dataclasses import dataclass, field
from datetime import datetime

from domain.backtest.bars import Bars, PriceTicks, price_ticks, with_known_tick
from domain.backtest.price_path import PricePath
from domain.model.markets import Market


@dataclass(frozen=True, slots=True, eq=False)
class MarketCandles:
    """A market with its closed candles, as processes are sent them; see `MarketBars`, which is made of them."""

    market: Market
    bars: Bars
    detail: Bars | None = None

    def count(self, start: datetime, end: datetime) -> int:
        """Return how many candles open from `start` to before `end`."""
        return self.bars.index_of(end) - self.bars.index_of(start)

    def between(self, start: datetime, end: datetime, warm_up: int) -> "MarketCandles":
        """Return the candles that open from `start` to before `end`, and `warm_up` of them before."""
        first, last = self.bars.index_of(start), self.bars.index_of(end)
        bars, detail = self.bars.between(max(first - warm_up, 0), last), self.detail
        if detail is not None:
            detail = detail.between(detail.index_of(start), detail.index_of(end))
        return MarketCandles(self.market, bars, detail)


@dataclass(slots=True, eq=False)
class MarketBars:
    """A market with its closed candles; `detail` are those of a shorter timeframe, to look inside of a candle."""

    market: Market
    bars: Bars
    detail: Bars | None = None
    prices: PriceTicks = field(init=False, repr=False)
    path: PricePath = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.market = with_known_tick(self.market, self.bars.candles)
        self.prices = price_ticks(self.bars.candles, self.market.price_increment)
        detail = None
        if self.detail is not None:
            detail = (self.detail, price_ticks(self.detail.candles, self.market.price_increment))
        self.path = PricePath(self.bars, self.prices, detail)

    @classmethod
    def of(cls, candles: MarketCandles) -> "MarketBars":
        """Return the candles made ready."""
        return cls(candles.market, candles.bars, candles.detail)
