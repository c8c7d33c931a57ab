"""Reads a file of candles from end to end before any of it is stored: is it right, and what is in it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl

from domain.core.clock import from_milliseconds, to_milliseconds
from domain.model.markets import Timeframe
from infra.candle_files.column_reader import Table, tables
from infra.candle_files.errors import MAX_PROBLEMS, MalformedRows, Place, RowError, UnusableFileError
from infra.candle_files.formats import FileOptions
from infra.candle_files.grid import FEW_ROWS, Grid, guess
from infra.candle_files.line_reader import BLOCK_BYTES
from infra.candle_files.row_checks import Rules, first_opening, malformed, repeated


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read: what the user says of it, with the length of its candles where told."""

    path: Path
    options: FileOptions
    timeframe: Timeframe | None
    now: datetime
    block_bytes: int = BLOCK_BYTES


@dataclass(frozen=True, slots=True)
class Survey:
    """What a well-formed file holds: `first` and `last` are when its oldest and newest closed candle open.

    `missing` candles lie between the two and aren't in the file; `forming` ones haven't closed and are left out, and
    `blank` rows have no prices.
    """

    format: str
    timeframe: Timeframe
    rows: int
    forming: int
    first: datetime
    last: datetime
    missing: int
    blank: int = 0


def survey(reading: Reading, advance: Callable[[int], None]) -> Survey:
    """Return what is in a file, calling `advance` as rows are read; raises `UnusableFileError`, `MalformedRows`."""
    surveyor: _Surveyor | None = None
    early: list[Table] = []
    for table in tables(reading.path, reading.options, reading.block_bytes):
        if surveyor is None:
            early.append(table)
            if not _tells_timeframe(early):
                continue
            surveyor = _begun(reading, early)
        else:
            surveyor.look_at(table)
        advance(table.rows.height)
    return (surveyor or _begun(reading, early)).result()


def _tells_timeframe(early: Sequence[Table]) -> bool:
    """Tell whether there are rows enough to see how far apart they are; a file may begin with many blank ones."""
    return sum(table.rows.height for table in early) > FEW_ROWS


def _begun(reading: Reading, early: Sequence[Table]) -> "_Surveyor":
    times = pl.concat([table.rows["at"] for table in early])
    surveyor = _Surveyor(reading, reading.timeframe or guess(reading.path, times))
    for table in early:
        surveyor.look_at(table)
    return surveyor


class _Surveyor:
    def __init__(self, reading: Reading, timeframe: Timeframe) -> None:
        self.problems: list[RowError] = []
        self._reading = reading
        self._timeframe = timeframe
        self._step = timeframe.seconds * 1_000_000
        self._origin = first_opening(timeframe)
        self._grid = Grid()
        self._blank = 0
        self._now = to_milliseconds(reading.now) * 1000
        self._format = ""
        self._rows = 0
        # The line of each bucket since 1970: pages of memory are only taken where candles are.
        self._lines = np.zeros(self._bucket(self._now) + 1, np.int64)
        self._sources: list[tuple[int, str]] = []
        self._newest_line = 0

    def look_at(self, table: Table) -> None:
        """Check some rows and note when they open."""
        # A broken archive shows at its end, and explains what looks malformed before: so it is read that far.
        if len(self.problems) > MAX_PROBLEMS:
            return
        self._grid.add(table.rows["at"].drop_nulls().to_numpy())
        self._blank += table.blank
        rules = Rules(self._timeframe, self._now, table.explain_time)
        some = islice(malformed(table.rows, rules), MAX_PROBLEMS + 1)
        found = [RowError(table.place(index), message) for index, message in some]
        told = sorted([*table.problems, *found], key=lambda problem: problem.place.number)
        self.problems += told or self._repetitions(table)
        self._rows += table.rows.height
        self._format = table.format

    def result(self) -> Survey:
        """Return what was seen; raises `MalformedRows`."""
        if self._reading.timeframe is not None:
            self._grid.check(self._reading.path, self._timeframe)
        if self.problems:
            more = len(self.problems) > MAX_PROBLEMS
            raise MalformedRows(self._reading.path, self.problems[:MAX_PROBLEMS], more=more)
        closed = np.flatnonzero(self._lines[: self._bucket(self._now)])
        if not len(closed):
            reason = "none of its candles has closed yet" if self._rows else "there are no rows with prices in it"
            raise UnusableFileError(self._reading.path, reason)
        first, last = int(closed[0]), int(closed[-1])
        forming = self._rows - len(closed)
        missing = last - first + 1 - len(closed)
        ends = self._at(first), self._at(last)
        return Survey(self._format, self._timeframe, self._rows, forming, *ends, missing, self._blank)

    def _at(self, bucket: int) -> datetime:
        return from_milliseconds((bucket * self._step + self._origin) // 1000)

    def _bucket(self, at: int) -> int:
        return (at - self._origin) // self._step

    def _repetitions(self, table: Table) -> list[RowError]:
        """Note the lines of candles; return those whose time was there before, in any file of the archive."""
        if not self._sources or self._sources[-1][1] != table.source:
            self._sources.append((self._newest_line, table.source))
        lines = table.numbers + self._sources[-1][0]
        self._newest_line = int(lines[-1]) if len(lines) else self._newest_line
        buckets = (table.rows["at"].to_numpy() - self._origin) // self._step
        again = islice(repeated(buckets, lines, self._lines), MAX_PROBLEMS + 1)
        return [
            RowError(
                table.place(index),
                f"it opens when the candle of {self._place(line, table.unit)} does; one of them is too many",
            )
            for index, line in again
        ]

    def _place(self, line: int, unit: str) -> Place:
        begin, source = next(each for each in reversed(self._sources) if each[0] < line)
        return Place(source, line - begin, unit)
