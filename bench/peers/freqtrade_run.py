"""The strategy by freqtrade, which has an environment of its own, and here a market that it asks no venue for.

A run begins with the candles as a frame and ends with the statistics.
"""

import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from freqtrade.configuration import Configuration, TimeRange
from freqtrade.enums import RunMode
from freqtrade.exchange import Exchange
from freqtrade.optimize.backtesting import Backtesting
from freqtrade.optimize.optimize_reports import generate_backtest_stats

from bench.peers.measuring import Outcome, measure, show
from bench.peers.series import CASH, FEE, LOT, STAKE, TICK, Series, load

PAIR = "BTC/USDT"
MARKET = {
    "id": "BTCUSDT",
    "symbol": PAIR,
    "base": "BTC",
    "quote": "USDT",
    "active": True,
    "spot": True,
    "swap": False,
    "future": False,
    "margin": False,
    "linear": None,
    "type": "spot",
    "contractSize": None,
    "taker": FEE,
    "maker": FEE,
    "precision": {"price": TICK, "amount": LOT},
    "limits": {
        "amount": {"min": LOT, "max": None},
        "price": {"min": TICK, "max": None},
        "cost": {"min": 5, "max": None},
        "leverage": {"min": None, "max": None},
    },
    "info": {},
}


def main(path: str, runs: int) -> None:
    """Measure it on the candles of a file."""
    series = load(path)
    with tempfile.TemporaryDirectory() as folder:
        configuration = _configuration(Path(folder))
        exchange = Exchange(configuration, validate=False)
        exchange._markets = {PAIR: MARKET}  # noqa: SLF001  # it would ask the venue for them
        backtesting = Backtesting(configuration, exchange)
        logging.disable(logging.CRITICAL)
        show(measure("freqtrade", len(series.opened), runs, lambda: _run(backtesting, series)))


def _configuration(folder: Path) -> dict[str, Any]:
    file = folder / "config.json"
    settings = {
        "exchange": {"name": "binance", "pair_whitelist": [PAIR]},
        "pairlists": [{"method": "StaticPairList"}],
        "stake_currency": "USDT",
        "stake_amount": STAKE,
        "dry_run": True,
        "dry_run_wallet": CASH,
        "max_open_trades": 1,
        "fee": FEE,
        "timeframe": "1m",
        "entry_pricing": {"price_side": "same", "use_order_book": False},
        "exit_pricing": {"price_side": "same", "use_order_book": False},
    }
    file.write_text(json.dumps(settings))
    arguments = {
        "config": [str(file)],
        "user_data_dir": str(folder),
        "strategy": "Crossing",
        "strategy_path": str(Path(__file__).parent / "freqtrade_strategy"),
        "backtest_cache": "none",
        "export": "none",
    }
    return Configuration(arguments, RunMode.BACKTEST).get_config()


def _run(backtesting: Backtesting, series: Series) -> Outcome:
    strategy = backtesting.strategylist[0]
    columns = {name: getattr(series, name) for name in ("open", "high", "low", "close", "volume")}
    data = {PAIR: pd.DataFrame({"date": pd.to_datetime(series.opened, unit="ms", utc=True), **columns})}
    backtesting.available_pairs = [PAIR]
    first, last = backtesting.backtest_one_strategy(strategy, data, TimeRange())
    everything = generate_backtest_stats(data, backtesting.all_bt_content, min_date=first, max_date=last)
    found = everything["strategy"][strategy.get_strategy_name()]
    trades = backtesting.all_bt_content[strategy.get_strategy_name()]["results"]
    trades = trades[trades["exit_reason"] != "force_exit"]
    spans = [_bars(trades[name], series) for name in ("open_date", "close_date")]
    return Outcome(float(found["final_balance"]), len(trades), list(zip(*spans, strict=True)))


def _bars(times: Any, series: Series) -> list[int]:
    first = pd.Timestamp(int(series.opened[0]), unit="ms", tz="UTC")
    return ((times - first) // pd.Timedelta(minutes=1)).tolist()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
