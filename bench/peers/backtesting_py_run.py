"""The strategy by backtesting.py. A run begins with the candles' arrays, and ends with its statistics."""

import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
import talib

from bench.peers.measuring import Outcome, measure, show
from bench.peers.series import CASH, FAST, FEE, LOT, SLOW, STAKE, START, Series, load, stop_below

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from backtesting import Strategy
    from backtesting.lib import FractionalBacktest, crossover


class Crossing(Strategy):  # type: ignore[misc]  # the library has no types
    """Enters and exits at the crossings of two exponential averages, with a stop.

    Its unit is a lot, so that it may buy less than a coin; the library shows it prices of one.
    """

    def init(self) -> None:
        self.fast = self.I(talib.EMA, self.data.Close, FAST)
        self.slow = self.I(talib.EMA, self.data.Close, SLOW)

    def next(self) -> None:
        if self.position and crossover(self.slow, self.fast):
            self.position.close()
        elif not self.position and len(self.data) > START and crossover(self.fast, self.slow):
            price = self.data.Close[-1]
            self.buy(size=int(round(STAKE / price, 6)), sl=float(stop_below(price / LOT)) * LOT)


def main(path: str, runs: int) -> None:
    """Measure it on the candles of a file."""
    warnings.simplefilter("ignore")
    series = load(path)
    show(measure("backtesting.py", len(series.opened), runs, lambda: _run(series)))


def _run(series: Series) -> Outcome:
    columns = {name.capitalize(): getattr(series, name) for name in ("open", "high", "low", "close", "volume")}
    frame = pd.DataFrame(columns, index=pd.to_datetime(series.opened, unit="ms"))
    found: Any = FractionalBacktest(frame, Crossing, cash=CASH, commission=FEE, fractional_unit=LOT).run()
    trades = found["_trades"]
    spans = np.sort(trades[["EntryBar", "ExitBar"]].to_numpy(), axis=0).tolist()
    return Outcome(float(found["Equity Final [$]"]), len(spans), spans)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
