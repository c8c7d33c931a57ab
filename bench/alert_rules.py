"""How long 10,000 alert rules on 100 markets take when a candle closes on all of them at once.

A fifth of the rules are conditions of the rule language, then half, then all; the others are on prices. No two
conditions on a market are the same, and most have an indicator of their own. Candles, groups and triggers are those of
the engine; the database isn't part of it.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from typing import Final, cast
from uuid import UUID

import numpy as np

from bench.figures import Figure, percentile, report
from domain.alerts.candle_rules import CandleGroup
from domain.alerts.price_rules import PriceGroup
from domain.alerts.triggers import WatchedRule, watch
from domain.market_data.hub import MarketDataHub
from domain.model.alert_rules import AlertDirection, AlertRepeat, AlertRule, AlertRuleStatus
from domain.model.alerts import AlertCondition
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import Database
from infra.clock import SystemClock

MARKETS, RULES, CLOSES = 100, 10_000, 30
TARGET_MS: Final = 100.0
TEMPLATES: Final = (
    "rsi(close, 14) < {}",
    "close > sma(close, {})",
    "crosses_above(close, ema(close, {}))",
    "ema(close, {}) > ema(close, 50) and volume > 0",
    "close > highest(high, {})",
    "atr(14) > {}",
    "close < lowest(low, {})",
    "cci(20) > {}",
    "roc(close, {}) > 1",
    "sma(volume, {}) > volume",
)
"""Conditions as users write them; each rule of a market has a number of its own."""


class _Now:
    """The venue's time: that of the machine."""

    def venue_now(self, _venue: str) -> datetime:
        return datetime.now(UTC)


def measure(closes: int) -> None:
    rows, figures = [], []
    each = RULES // MARKETS
    for name, conditions in (("a fifth of them", each // 5), ("half of them", each // 2), ("all of them", each)):
        fired: list[WatchedRule] = []
        markets = [_Market(number, each - conditions, fired) for number in range(MARKETS)]
        seconds = []
        for close in range(closes):
            candles = [market.next_candle(close) for market in markets]
            started = time.process_time()
            for market, candle in zip(markets, candles, strict=True):
                market.on_candle(candle)
            seconds.append(time.process_time() - started)
        p50, p99 = (percentile(seconds, percent) * 1_000 for percent in (50, 99))
        rows.append([name, closes, round(p50, 1), round(p99, 1), len(fired)])
        shown = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms"
        figures.append(
            Figure(
                f"10,000 alert rules on 100 markets, {name} conditions (processor time)",
                shown,
                f"≤ {TARGET_MS:g} ms",
                p50 <= TARGET_MS,
            )
        )
    report("alert_rules", ["rules", "closes", "p50 ms", "p99 ms", "fired"], rows, figures)


class _Market:
    """A market with its rules, whose price walks at random."""

    def __init__(self, number: int, prices: int, fired: list[WatchedRule]) -> None:
        self.symbol = MarketSymbol("sandbox", f"C{number}/USDT")
        self._random = np.random.default_rng(number)
        self._price = 1_000.0
        clock, feed = SystemClock(), cast("MarketDataHub", _Now())

        def fire(watched: WatchedRule, _at: datetime, _value: str | None) -> None:
            fired.append(watched)

        self._prices = PriceGroup(self.symbol, feed, clock, fire)
        self._prices.rules = [self._price_rule(place, prices) for place in range(prices)]
        key = (self.symbol, Timeframe.M1)
        nothing = (cast("Database", None), feed, cast("MessageBus", None))
        self._candles = CandleGroup(key, *nothing, clock, fire)
        self._candles.set_rules([self._condition(place) for place in range(RULES // MARKETS - prices)])
        self._first = Timeframe.M1.open_time(datetime.now(UTC)) - timedelta(minutes=self._candles.needed + 20)
        self._next = count()
        assert self._candles.load([self._candle() for _ in range(self._candles.needed + 10)])

    def next_candle(self, _close: int) -> Candle:
        return self._candle()

    def on_candle(self, candle: Candle) -> None:
        """Take in a candle as the engine does when one has come."""
        self._prices.on_prices([candle.low, candle.high, candle.close])
        self._prices.on_candle(candle)
        assert self._candles.append(candle)
        self._candles.on_candle(candle)

    def _candle(self) -> Candle:
        last, self._price = self._price, self._price * float(np.exp(self._random.normal(0, 0.002)))
        high, low = max(last, self._price) * 1.0005, min(last, self._price) * 0.9995
        opened = self._first + next(self._next) * Timeframe.M1.duration
        prices = (Decimal(f"{price:.2f}") for price in (last, high, low, self._price))
        return Candle(
            self.symbol, Timeframe.M1, opened, *prices, Decimal(f"{self._random.lognormal():.3f}"), closed=True
        )

    def _price_rule(self, place: int, of: int) -> WatchedRule:
        direction = AlertDirection.ABOVE if place % 2 else AlertDirection.BELOW
        level = Decimal(f"{980 + 40 * place / of:.2f}")
        return _watched(AlertCondition.PRICE, self.symbol, direction=direction, level=level)

    def _condition(self, place: int) -> WatchedRule:
        text = TEMPLATES[place % len(TEMPLATES)].format(10 + place // len(TEMPLATES) * 3)
        return _watched(AlertCondition.INDICATOR, self.symbol, timeframe=Timeframe.M1, rule=text)


def _watched(condition: AlertCondition, market: MarketSymbol, **values: object) -> WatchedRule:
    now = datetime.now(UTC)
    rule = AlertRule(
        UUID(int=1), UUID(int=2), "rule", condition, AlertRepeat.EACH_TIME, 0, AlertRuleStatus.ACTIVE, now,
        market=market, **values,  # type: ignore[arg-type]  # fields by their names
    )  # fmt: skip
    return watch(rule, now)


if __name__ == "__main__":
    measure(int(sys.argv[1]) if len(sys.argv) > 1 else CLOSES)
