"""Backtests by two engines that others have written, backtesting.py and vectorbt, of signals that they are given.

Both are imported when they are first used: that takes seconds, and each process of the tests collects all tests. They
are told our rules as far as they can be told: to act at the next open with one unit, with fees in quote.
"""

import warnings
from functools import cache
from importlib.util import find_spec
from types import ModuleType
from typing import Any

import numpy as np

from domain.backtest.bars import Bars
from tests.support.peer_trades import CASH, FEE, Flags, Protection, Signals, Trade
from tests.support.require import require_or_skip


@cache
def backtesting_py() -> ModuleType:
    """Return backtesting.py."""
    _require("backtesting")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import backtesting  # noqa: PLC0415  # takes seconds
    return backtesting


def by_backtesting_py(bars: Bars, signals: Signals, protection: Protection) -> list[Trade]:
    """Return its trades. Stops are set when an order is placed, so the strategy is told the next open here.

    It has no trailing stop of its own: the strategy moves the stop at each close, as in its documents.
    """
    opens, highs = bars.candles.open, bars.candles.high

    class Signalled(backtesting_py().Strategy):  # type: ignore[misc]  # the library has no types
        def init(self) -> None:
            pass

        def next(self) -> None:
            bar = len(self.data) - 1
            if self.position and signals.exit[bar]:
                self.position.close()
            elif self.position and protection.trail is not None:
                trade = self.trades[0]
                trade.sl = max(trade.sl, _below(highs[trade.entry_bar : bar + 1].max(), protection.trail))
            elif not self.position and signals.enter[bar] and not signals.exit[bar] and bar + 1 < len(opens):
                self.enter(opens[bar + 1])

        def enter(self, price: float) -> None:
            stops = [_below(price, distance) for distance in (protection.stop, protection.trail) if distance]
            target = None if protection.target is None else price * (1 + float(protection.target) / 100)
            self.buy(size=1, sl=max(stops, default=None), tp=target)

    return run_strategy(bars, Signalled)


def run_strategy(bars: Bars, strategy: type, **options: object) -> list[Trade]:
    """Return the trades of a strategy of backtesting.py."""
    frame = _frame(bars).rename(columns=str.capitalize)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        backtest = backtesting_py().Backtest(frame, strategy, cash=CASH, commission=FEE, **options)
        table = backtest.run()["_trades"].sort_values("EntryBar")
    names = ("EntryBar", "ExitBar", "EntryPrice", "ExitPrice", "PnL", "Size")
    columns = (table[name].tolist() for name in names)
    return [Trade(*row) for row in zip(*columns, strict=True)]


@cache
def vectorbt() -> ModuleType:
    """Return vectorbt."""
    _require("vectorbt")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import vectorbt as module  # noqa: PLC0415  # takes seconds
    return module


def by_vectorbt(bars: Bars, signals: Signals, protection: Protection, **options: object) -> list[Trade]:
    """Return its trades. It fills at the close of a signal's candle, so it is given signals that come a bar later.

    Its kernels in Rust are used: those in Python are compiled for half a minute first.
    """
    frame = _frame(bars)
    stop = protection.trail or protection.stop
    given: dict[str, object] = {
        "entries": later(signals.enter),
        "exits": later(signals.exit),
        "price": frame["open"],
        "upon_long_conflict": "exit",
        "stop_entry_price": "FillPrice",
        "sl_stop": np.nan if stop is None else float(stop) / 100,
        "sl_trail": protection.trail is not None,
        "tp_stop": np.nan if protection.target is None else float(protection.target) / 100,
        "open": frame["open"],
        "high": frame["high"],
        "low": frame["low"],
        "size": 1,
        "fees": FEE,
        "init_cash": CASH,
        "freq": f"{bars.timeframe.seconds}s",
        "engine": "rust",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        portfolio = vectorbt().Portfolio.from_signals(frame["close"], **(given | options))
        rows = portfolio.trades.closed.records
    names = ("entry_idx", "exit_idx", "entry_price", "exit_price", "pnl", "size")
    columns = (rows[name].tolist() for name in names)
    return [Trade(*row) for row in zip(*columns, strict=True)]


def later(flags: Flags) -> Flags:
    """Return the flags, each a bar later."""
    return np.concatenate([[False], flags[:-1]])


def _below(price: float, percent: str) -> float:
    return price * (1 - float(percent) / 100)


def _frame(bars: Bars) -> Any:
    import pandas as pd  # noqa: PLC0415  # as the engines

    names = ("open", "high", "low", "close", "volume")
    columns = {name: bars.candles.series(name) for name in names}
    return pd.DataFrame(columns, index=pd.to_datetime(bars.opened, unit="ms"))


def _require(module: str) -> None:
    require_or_skip(find_spec(module), f"{module} is not installed: `uv sync --group peers` installs it")
