"""A backtest of an EMA cross with a stop and fees over minute candles, beside backtesting.py on the same candles.

The engine's way begins with the definition and the candles' arrays, and ends with all figures, the equity curve and the
round trips; backtesting.py's with its strategy and a frame, and ends with its statistics. Both are measured in the
processor time of one thread and take turns. The peer is given a part of the candles: it takes the same time for each.
"""

import sys
import time
import warnings
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import talib

from bench.figures import Figure, report
from domain.backtest.bars import Bars
from domain.backtest.engine import run_backtest
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult
from domain.indicators.candle_arrays import CandleArrays
from domain.model.definitions import ExitDistance, Sizing, StrategyDefinition
from domain.model.markets import Market, MarketSymbol, Timeframe
from domain.rules.costs import TradingCosts
from domain.strategies.compiled import compile_definition

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from backtesting import Backtest, Strategy
    from backtesting.lib import crossover

CANDLES, PEER_CANDLES, RUNS = 1_000_000, 200_000, 3
TARGET_SECONDS, TARGET_RATIO = 1.0, 7.0
FEE = 0.001
MARKET = Market(
    symbol=MarketSymbol("sandbox", "BTC/USDT"),
    base="BTC",
    quote="USDT",
    active=True,
    price_increment=Decimal("0.01"),
    quantity_increment=Decimal("0.00001"),
    minimum_quantity=Decimal("0.00001"),
    maximum_quantity=Decimal(9_000),
    minimum_notional=Decimal(5),
    maker_fee=Decimal(str(FEE)),
    taker_fee=Decimal(str(FEE)),
)
DEFINITION = StrategyDefinition(
    Sizing(quote_amount=Decimal(1_000)),
    enter_long="crosses_above(ema(close, 12), ema(close, 26))",
    exit_long="crosses_below(ema(close, 12), ema(close, 26))",
    stop_loss=ExitDistance(percent=Decimal(2)),
)


def measure(candles: int, peer_candles: int, runs: int) -> None:
    bars = _walk(candles)
    ours, theirs, result = [], [], _ours(bars)
    for _ in range(runs):
        ours.append(_timed(lambda: _ours(bars)))
        theirs.append(_timed(lambda: _theirs(bars.first(peer_candles))))
    seconds, peer = min(ours), min(theirs) / peer_candles * candles
    rows: list[list[Any]] = [
        ["engine", candles, result.metrics.round_trips, seconds, candles / seconds],
        ["backtesting.py", peer_candles, _theirs(bars.first(peer_candles)), min(theirs), candles / peer],
    ]
    ratio = peer / seconds
    figures = [
        Figure(
            f"backtest of {candles:,} minute candles, EMA cross with stop and fees",
            f"{seconds:.2f} s of processor time, {result.metrics.round_trips:,} round trips",
            f"≤ {TARGET_SECONDS:g} s",
            seconds <= TARGET_SECONDS,
        ),
        Figure(
            "the same by backtesting.py", f"{ratio:.1f} times as long", f"≥ {TARGET_RATIO:g}", ratio >= TARGET_RATIO
        ),
    ]
    report("backtest", ["by", "candles", "round trips", "seconds", "candles/s"], rows, figures)


def _walk(candles: int) -> Bars:
    """Return minute candles of a random walk on a grid of hundredths, each opening at the close before."""
    random = np.random.default_rng(1)
    close = np.round(60_000 * np.exp(np.cumsum(random.normal(0, 4e-4, candles))), 2)
    opened = np.concatenate([[60_000.0], close[:-1]])
    high = np.round(np.maximum(opened, close) + random.lognormal(0, 1, candles), 2)
    low = np.round(np.minimum(opened, close) - random.lognormal(0, 1, candles), 2)
    volume = np.round(random.lognormal(1, 1, candles), 5)
    times = 1_600_000_020_000 // 60_000 * 60_000 + np.arange(candles, dtype=np.int64) * 60_000
    return Bars(Timeframe.M1, times, CandleArrays(opened, high, low, close, volume, gapless=True))


def _ours(bars: Bars) -> BacktestResult:
    fee = Decimal(str(FEE))
    plan = BacktestPlan(
        DEFINITION, compile_definition(DEFINITION), MARKET, Timeframe.M1, TradingCosts(fee, fee), Decimal(1_000_000)
    )
    return run_backtest(plan, bars)


class _Crossing(Strategy):  # type: ignore[misc]  # the library has no types
    def init(self) -> None:
        self.fast = self.I(talib.EMA, self.data.Close, 12)
        self.slow = self.I(talib.EMA, self.data.Close, 26)

    def next(self) -> None:
        if self.position and crossover(self.slow, self.fast):
            self.position.close()
        elif not self.position and crossover(self.fast, self.slow):
            self.buy(size=1, sl=self.data.Close[-1] * 0.98)


def _theirs(bars: Bars) -> int:
    """Return the number of its trades."""
    columns = {name.capitalize(): bars.candles.series(name) for name in ("open", "high", "low", "close", "volume")}
    frame = pd.DataFrame(columns, index=pd.to_datetime(bars.opened, unit="ms"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return int(Backtest(frame, _Crossing, cash=100_000_000, commission=FEE).run()["# Trades"])


def _timed(action: Callable[[], object]) -> float:
    began = time.thread_time()
    action()
    return time.thread_time() - began


if __name__ == "__main__":
    given = [int(number) for number in sys.argv[1:]]
    measure(*(given or [CANDLES, PEER_CANDLES, RUNS]))
