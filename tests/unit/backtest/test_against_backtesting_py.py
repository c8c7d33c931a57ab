"""The same strategy on the same candles by backtesting.py, an engine that others have written.

It takes fees in quote, and enters with a fixed quantity: one unit, which is the lot of the market here. Its stops are
set before the price of the entry is known, so they are compared where a candle opens at the close of the one before.
"""

import warnings
import zipfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import talib

from domain.backtest.bars import Bars
from domain.backtest.engine import run_backtest
from domain.backtest.result import BacktestResult
from domain.indicators.candle_arrays import CandleArrays
from domain.model.definitions import ExitDistance, Sizing
from domain.model.markets import Timeframe
from domain.model.orders import OrderRole
from domain.rules.costs import FeeCurrency, TradingCosts
from tests.support.backtests import a_plan, a_spot_market, bars_of, signalled
from tests.support.candles import random_candles
from tests.support.recorded_data import COINBASE, skip_without

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from backtesting import Backtest, Strategy
    from backtesting.lib import crossover

D = Decimal
COSTS = TradingCosts(taker_fee=D("0.001"), maker_fee=D("0.001"), fee_currency=FeeCurrency.QUOTE)
CASH = 10_000_000


def run_ours(bars: Bars, stop: ExitDistance | None, price_below: int) -> BacktestResult:
    definition = signalled(
        sizing=Sizing(quote_amount=D(price_below)),
        enter_long="crosses_above(ema(close, 12), ema(close, 26))",
        exit_long="crosses_below(ema(close, 12), ema(close, 26))",
        stop_loss=stop,
    )
    market = a_spot_market(quantity_increment=D(1), minimum_quantity=D(1))
    return run_backtest(a_plan(definition, COSTS, market, CASH, timeframe=bars.timeframe), bars)


def run_theirs(bars: Bars, stop: float | None, warm_up: int) -> "pd.DataFrame":
    class Crossing(Strategy):  # type: ignore[misc]  # the library has no types
        def init(self) -> None:
            self.fast = self.I(talib.EMA, self.data.Close, 12)
            self.slow = self.I(talib.EMA, self.data.Close, 26)

        def next(self) -> None:
            if len(self.data) <= warm_up:
                return
            if self.position and crossover(self.slow, self.fast):
                self.position.close()
            elif not self.position and crossover(self.fast, self.slow):
                price = self.data.Close[-1] * (1 - (stop or 0))
                self.buy(size=1, sl=None if stop is None else np.ceil(round(price * 100, 6)) / 100)

    columns = {name.capitalize(): bars.candles.series(name) for name in ("open", "high", "low", "close", "volume")}
    frame = pd.DataFrame(columns, index=pd.to_datetime(bars.opened, unit="ms"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return Backtest(frame, Crossing, cash=CASH, commission=0.001).run()["_trades"]


def check_same(ours: BacktestResult, theirs: "pd.DataFrame") -> None:
    """Hold all trades that are over against each other, and their profits to the cent."""
    closed = [trip for trip in ours.round_trips if trip.closed_at is not None]
    assert len(closed) > 5
    assert len(closed) == len(theirs)
    entries = [fill for fill in ours.fills if fill.role is OrderRole.ENTRY]
    exits = [fill for fill in ours.fills if fill.role is not OrderRole.ENTRY]
    assert [fill.bar for fill in entries[: len(closed)]] == list(theirs["EntryBar"])
    assert [fill.bar for fill in exits] == list(theirs["ExitBar"])
    assert [float(trip.entry_price) for trip in closed] == pytest.approx(list(theirs["EntryPrice"]))
    assert [float(fill.price) for fill in exits] == pytest.approx(list(theirs["ExitPrice"]))
    assert [float(trip.fees) for trip in closed] == pytest.approx(list(theirs["Commission"]))
    assert float(sum(trip.profit for trip in closed)) == pytest.approx(theirs["PnL"].sum(), abs=0.005)


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_trades_with_a_stop_on_a_synthetic_series(seed: int) -> None:
    walk = random_candles(5_000, seed, volatility=0.004, tick=0.01)
    bars = bars_of(walk)
    ours = run_ours(bars, ExitDistance(percent=D(2)), price_below=int(walk.high.max()) + 1)
    warm_up = a_plan(signalled(enter_long="ema(close, 26) > 0", exit_long=None)).compiled.warm_up
    assert any(trip.exit_reason is OrderRole.STOP_LOSS for trip in ours.round_trips)
    check_same(ours, run_theirs(bars, 0.02, warm_up))


def test_the_same_trades_on_recorded_minutes_of_coinbase() -> None:
    paths = [COINBASE / f"btcusd_minute_2018040{day}.zip" for day in (4, 5, 6)]
    skip_without(*paths)
    bars = recorded(paths)
    warm_up = a_plan(signalled(enter_long="ema(close, 26) > 0", exit_long=None)).compiled.warm_up
    ours = run_ours(bars, None, price_below=int(bars.candles.high.max()) + 1)
    check_same(ours, run_theirs(bars, None, warm_up))


def recorded(paths: list[Path]) -> Bars:
    rows, opened = [], []
    for path in paths:
        day = int(pd.Timestamp(path.stem[-8:], tz="UTC").timestamp()) * 1000
        with zipfile.ZipFile(path) as archive, archive.open(archive.namelist()[0]) as lines:
            table = np.loadtxt(lines, delimiter=",")
        opened.append(day + table[:, 0].astype(np.int64))
        rows.append(table[:, 1:6])
    columns = np.concatenate(rows).T
    candles = CandleArrays(*(np.ascontiguousarray(column) for column in columns))
    return Bars(Timeframe.M1, np.concatenate(opened), candles)
