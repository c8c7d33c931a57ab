"""Which candles a backtest needs: those of the markets that it trades, of their detail, and others that rules name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.indicators.candle_arrays import SeriesKey
from domain.market_data.history_download import BEFORE_ALL_MARKETS
from domain.model.markets import Market, MarketSymbol, Timeframe
from domain.model.plans import Plan
from domain.strategies.compiled import CompiledStrategy


@dataclass(frozen=True, slots=True)
class CandleRequest:
    """The candles that open from `start` to before `end`, and `warm_up` of them before."""

    market: MarketSymbol
    timeframe: Timeframe
    start: datetime
    end: datetime
    warm_up: int

    @property
    def first(self) -> datetime:
        """When the first candle of the warm-up opens, or would have."""
        possible = (self.start - BEFORE_ALL_MARKETS) // self.timeframe.duration
        return self.timeframe.next_open_time(self.start - min(self.warm_up, possible) * self.timeframe.duration)

    @property
    def count(self) -> int:
        """How many candles there are at most."""
        return max((self.end - self.first) // self.timeframe.duration, 0)

    @property
    def name(self) -> str:
        """The candles in words, such as "1h candles of sandbox:BTC/USDT"."""
        return f"{self.timeframe.venue_name} candles of {self.market}"


@dataclass(frozen=True, slots=True)
class CandleNeeds:
    """The candles of `markets` in a period and `warm_up` of them before.

    `others` is how many candles of each series that the rules name have to precede the period; `detail` is a shorter
    timeframe whose candles are looked at inside of the others.
    """

    markets: tuple[Market, ...]
    timeframe: Timeframe
    start: datetime
    end: datetime
    warm_up: int
    others: Mapping[SeriesKey, int]
    detail: Timeframe | None = None

    def own(self, market: Market) -> CandleRequest:
        """Return the request of the candles that signals come from."""
        return CandleRequest(market.symbol, self.timeframe, self.start, self.end, self.warm_up)

    def inside(self, market: Market) -> CandleRequest | None:
        """Return the request of the candles that are looked at inside of the others; None without a `detail`."""
        if self.detail is None:
            return None
        return CandleRequest(market.symbol, self.detail, self.start, self.end, 0)

    def named(self, market: Market) -> dict[SeriesKey, CandleRequest]:
        """Return the requests of what the rules name, but for longer timeframes, which are made of the own candles."""
        return {
            key: CandleRequest(
                market.symbol if key.market is None else MarketSymbol(market.symbol.venue, key.market),
                key.timeframe or self.timeframe,
                self.start,
                self.end,
                count,
            )
            for key, count in self.others.items()
            if key.market is not None or key.timeframe is None or not self.timeframe.divides(key.timeframe)
        }

    @property
    def requests(self) -> tuple[CandleRequest, ...]:
        """All requests, each once; those of the traded markets come first."""
        found = [self.own(market) for market in self.markets]
        found += [request for market in self.markets if (request := self.inside(market)) is not None]
        found += [request for market in self.markets for request in self.named(market).values()]
        return tuple(dict.fromkeys(found))

    @property
    def count(self) -> int:
        """How many candles there are at most, all together."""
        return sum(request.count for request in self.requests)


def excess_of(needs: CandleNeeds, plan: Plan) -> str | None:
    """Return that a backtest needs more candles than the plan allows, in sentences; None if it doesn't."""
    most = plan.max_backtest_candles
    if needs.count <= most:
        return None
    return (
        f"The backtest needs {needs.count:,} candles: those of all markets, of the detail and of what the rules name, "
        f"and the {needs.warm_up:,} that warm up the strategy. Your plan allows {most:,}. Choose a shorter period, "
        "longer candles or fewer markets."
    )


def needs_of(
    markets: Sequence[Market],
    timeframe: Timeframe,
    period: tuple[datetime, datetime],
    strategies: Sequence[CompiledStrategy],
    detail: Timeframe | None = None,
) -> CandleNeeds:
    """Return the candles that suffice for all of the strategies in a period."""
    others: dict[SeriesKey, int] = {}
    for compiled in strategies:
        for key in compiled.sources:
            others[key] = max(others.get(key, 0), compiled.candles_before(key, timeframe))
    warm_up = max((compiled.warm_up for compiled in strategies), default=0)
    return CandleNeeds(tuple(markets), timeframe, *period, warm_up, others, detail)
