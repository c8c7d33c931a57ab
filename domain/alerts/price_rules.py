"""Alert rules on the price of one market: by each trade, and by the candles whose trades weren't seen."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from domain.alerts.following import keep_following
from domain.alerts.triggers import WatchedRule
from domain.core.background import TaskGroup
from domain.core.clock import Clock
from domain.core.money import plain
from domain.market_data.feed_limit import FeedReader
from domain.market_data.hub import MarketDataHub
from domain.model.markets import Candle, MarketSymbol, Timeframe

RECENT_SECONDS: Final = 120.0
"""How old a candle may be to alert of: what closed before that is history."""

Fire = Callable[[WatchedRule, datetime, str | None], None]


class PriceGroup:
    """The rules on one market's price."""

    def __init__(self, market: MarketSymbol, feed: MarketDataHub, clock: Clock, fire: Fire) -> None:
        self.rules: Sequence[WatchedRule] = ()
        self._market = market
        self._feed = feed
        self._clock = clock
        self._fire = fire

    async def run(self) -> None:
        """Follow the market until cancelled."""
        await keep_following(self._market, self._follow)

    def on_prices(self, prices: Sequence[Decimal]) -> None:
        """Take in the prices of trades, in their order."""
        now = self._clock.now()
        low, high = min(prices), max(prices)
        for watched in self.rules:
            if watched.is_touched(low, high) and watched.on_numbers(prices, now):
                self._fire(watched, now, _reached(watched, low, high))

    def on_candle(self, candle: Candle) -> None:
        """Take in a closed candle of one minute, unless it is old."""
        late = self._feed.venue_now(self._market.venue) - candle.close_time
        if late > timedelta(seconds=RECENT_SECONDS):
            return
        now = self._clock.now()
        for watched in self.rules:
            if watched.is_armed and watched.on_range(candle.low, candle.high, candle.open_time, now):
                self._fire(watched, now, _reached(watched, candle.low, candle.high))

    async def _follow(self) -> None:
        # Admitted once, so that a refusal is one error and not those of both streams.
        async with self._feed.subscribe(self._market, FeedReader.USER), TaskGroup() as group:
            group.create_task(self._follow_trades())
            group.create_task(self._follow_candles())

    async def _follow_trades(self) -> None:
        async for trades in self._feed.trade_stream(self._market, FeedReader.USER):
            if trades:
                self.on_prices([trade.price for trade in trades])

    async def _follow_candles(self) -> None:
        async with self._feed.closed_candles(self._market, Timeframe.M1, FeedReader.USER) as candles:
            async for candle in candles:
                self.on_candle(candle)


def _reached(watched: WatchedRule, low: Decimal, high: Decimal) -> str:
    """Return the price that crossed the level; the last one may be back on the other side."""
    return plain(high if watched.is_above else low)
