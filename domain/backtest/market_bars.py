"""The candles of one market made ready for backtests, of which many may run over the same."""

from dataclasses import dataclass, field

from domain.backtest.bars import Bars, PriceTicks, price_ticks, with_known_tick
from domain.backtest.price_path import PricePath
from domain.model.markets import Market


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
