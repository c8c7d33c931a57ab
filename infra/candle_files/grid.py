"""Detects the timeframe of a file by the grid that all of its times lie on, not by the usual distance alone."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from domain.model.markets import Timeframe
from infra.candle_files.errors import UnusableFileError
from infra.candle_files.line_reader import Numbers
from infra.candle_files.row_checks import first_opening

FEW_ROWS = 10
"""Fewer rows than this may all lie on a coarser grid by chance."""
_OUTLIERS = 0.2
"""Up to this share, rows off the grid are malformed; above it, the market is thinly traded."""
_SECOND = 1_000_000
KNOWN = ", ".join(timeframe.venue_name for timeframe in Timeframe)


@dataclass
class TimeGrid:
    """The coarsest grid that all times so far lie on; it alone shows the timeframe of a thinly traded market."""

    rows: int = 0
    _first: int | None = None
    _step: int = 0

    def add(self, times: Numbers) -> None:
        """Add times in microseconds since 1970."""
        if not len(times):
            return
        first = int(times[0]) if self._first is None else self._first
        self._first = first
        self._step = int(np.gcd.reduce(np.append(times - first, self._step)))
        self.rows += len(times)

    def check(self, path: Path, timeframe: Timeframe) -> None:
        """Raise `UnusableFileError` if the times prove that `timeframe`, which the user named, isn't the candles'."""
        seconds = self._step // _SECOND
        if self.rows >= FEW_ROWS and seconds > timeframe.seconds:
            raise UnusableFileError(
                path,
                f"all of its {self.rows:,} candles are {timedelta(seconds=seconds)} or multiples of it apart, so they "
                f"are not of {timeframe.venue_name}; leave --timeframe out, or pass the right one",
            )


def guess_timeframe(path: Path, at: pl.Series) -> Timeframe:
    """Return the timeframe of candles that open at `at`, in µs since 1970; raises `UnusableFileError` if unclear."""
    times = at.drop_nulls().unique().sort().to_numpy()
    steps = np.diff(times) // _SECOND
    if not len(steps):
        raise UnusableFileError(path, f"a single row doesn't tell how long its candle is; pass --timeframe: {KNOWN}")
    usual = _most_common(steps)
    by_usual = next((timeframe for timeframe in Timeframe if timeframe.seconds == usual), None)
    common = int(np.gcd.reduce(steps))
    if by_usual is not None and _off_grid_share(times, by_usual) <= _OUTLIERS and _is_confirmed(steps, by_usual):
        return by_usual
    by_grid = next((timeframe for timeframe in Timeframe if timeframe.seconds == common), None)
    # Neighbours must show it: a grid that no two candles are next to each other on may be finer still.
    if by_grid is not None and len(times) >= FEW_ROWS and common in steps and not _off_grid_share(times, by_grid):
        return by_grid
    if by_usual is None and common == usual:
        raise UnusableFileError(
            path, f"its candles are {timedelta(seconds=usual)} apart; the engine's timeframes are {KNOWN}"
        )
    raise UnusableFileError(
        path,
        f"its candles are {timedelta(seconds=usual)} apart mostly, which isn't the length of all of them; pass "
        f"--timeframe: {KNOWN}",
    )


def _is_confirmed(steps: Numbers, timeframe: Timeframe) -> bool:
    """Return whether most distances of few rows are the timeframe's; of many rows a fitting grid is enough."""
    return len(steps) >= FEW_ROWS or int((steps == timeframe.seconds).sum()) * 2 >= len(steps)


def _off_grid_share(times: Numbers, timeframe: Timeframe) -> float:
    step = timeframe.seconds * _SECOND
    return float(((times - first_opening(timeframe)) % step != 0).mean())


def _most_common(steps: Numbers) -> int:
    """Return the commonest of some numbers, the smallest of several such."""
    values, counts = np.unique(steps, return_counts=True)
    return int(values[counts.argmax()])
