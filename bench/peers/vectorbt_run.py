"""The strategy by vectorbt, with its kernels in Python or in Rust.

A run begins with the candles' arrays, and ends once with the trades alone and once with the statistics.
"""

import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
import talib

from bench.peers.measuring import Outcome, measure, show
from bench.peers.series import CASH, FAST, FEE, LOT, SLOW, STAKE, Series, crossed_above, entries, load, stop_below

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import vectorbt


def main(path: str, runs: int, kernels: str) -> None:
    """Measure it on the candles of a file."""
    warnings.simplefilter("ignore")
    series = load(path)
    candles, name = len(series.opened), {"numba": "vectorbt", "rust": "vectorbt with Rust"}[kernels]
    with_statistics = measure(name, candles, runs, lambda: _run(series, kernels, with_statistics=True))
    trades = measure(f"{name}, trades alone", candles, runs, lambda: _run(series, kernels), is_warm=True)
    show(with_statistics, trades)


def _run(series: Series, kernels: str, *, with_statistics: bool = False) -> Outcome:
    fast, slow = talib.EMA(series.close, FAST), talib.EMA(series.close, SLOW)
    index = pd.to_datetime(series.opened, unit="ms")
    portfolio = vectorbt.Portfolio.from_signals(
        pd.Series(series.close, index=index),
        entries=_later(entries(fast, slow)),
        exits=_later(crossed_above(slow, fast)),
        price=series.open,
        open=series.open,
        high=series.high,
        low=series.low,
        size=np.floor(np.round(STAKE / series.open / LOT, 6)) * LOT,
        fees=FEE,
        sl_stop=1 - stop_below(series.open) / series.open,
        stop_entry_price="FillPrice",
        init_cash=CASH,
        freq="1min",
        engine=kernels,
    )
    if with_statistics:
        portfolio.stats()
    trades = portfolio.trades.records_arr
    closed = trades[trades["status"] == 1]
    spans = np.stack([closed["entry_idx"], closed["exit_idx"]], axis=1).tolist()
    return Outcome(float(portfolio.final_value()), len(spans), spans)


def _later(flags: Any) -> Any:
    """Return the flags a bar later: it fills at the price of a signal's own bar."""
    return np.concatenate([[False], flags[:-1]])


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
