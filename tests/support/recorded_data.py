"""Where the recordings of real markets are: not in the repository, so a test of them skips where they are absent.

`CONTRIBUTING.md` says what they are and where they come from.
"""

import os
import zipfile
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from domain.backtest.bars import Bars
from domain.indicators.candle_arrays import CandleArrays
from domain.model.markets import Timeframe

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("RECORDED_DATA") or ROOT.parent / "shared" / "data")
"""The folder that the environment names, or the one beside a checkout where they are kept for all checkouts."""

BINANCE = FOLDER / "binance_spot_raw"
COINBASE = FOLDER / "coinbase_ohlcv"


def skip_without(*paths: Path) -> None:
    """Skip the test where a file or folder from outside of the repository isn't there."""
    missing = [path.name for path in paths if not path.exists()]
    if missing:
        pytest.skip(f"{' and '.join(missing)} aren't part of the repository, and not in {paths[0].parent}")


def recorded_minutes() -> Bars:
    """Return three days of minutes of Coinbase, of which some are missing; skips the test without them."""
    paths = [COINBASE / f"btcusd_minute_2018040{day}.zip" for day in (4, 5, 6)]
    skip_without(*paths)
    days = [(_milliseconds(path.stem[-8:]), _rows(path)) for path in paths]
    opened = np.array([midnight + int(row[0]) for midnight, rows in days for row in rows])
    return _bars(Timeframe.M1, opened, [row for _, rows in days for row in rows])


def recorded_days() -> Bars:
    """Return 1,318 days of Coinbase; skips the test without them."""
    path = COINBASE / "btcusd_daily.zip"
    skip_without(path)
    rows = _rows(path)
    return _bars(Timeframe.D1, np.array([_milliseconds(row[0][:8]) for row in rows]), rows)


def _rows(path: Path) -> list[list[str]]:
    with zipfile.ZipFile(path) as archive:
        lines = archive.read(archive.namelist()[0]).decode().splitlines()
    return [line.split(",") for line in lines]


def _milliseconds(day: str) -> int:
    return int(np.datetime64(f"{day[:4]}-{day[4:6]}-{day[6:]}", "ms").astype(np.int64))


def _bars(timeframe: Timeframe, opened: npt.NDArray[np.int64], rows: list[list[str]]) -> Bars:
    columns = np.array([row[1:6] for row in rows], dtype=np.float64).T
    return Bars(timeframe, opened, CandleArrays(*(np.ascontiguousarray(column) for column in columns)))
