"""Reads a file of candles from end to end before any of it is stored: is it right, and what is in it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from domain.clock import from_milliseconds, to_milliseconds
from domain.markets.types import Timeframe
from infra.history.checks import Rules, malformed, repeated
from infra.history.formats import FileFormat
from infra.history.lines import BLOCK_BYTES
from infra.history.problems import MAX_PROBLEMS, MalformedRows, Place, Problem, UnusableFile
from infra.history.tables import Table, tables

_FEW_ROWS = 10
"""So few rows may all lie further apart than their timeframe; in more, two neighbours show it."""


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file is to be read: its form, the zone of times without offset, the length of its candles where told."""

    path: Path
    format: FileFormat
    zone: ZoneInfo
    timeframe: Timeframe | None
    now: datetime
    block_bytes: int = BLOCK_BYTES


@dataclass(frozen=True, slots=True)
class Survey:
    """What a well-formed file holds: `first` and `last` are when its oldest and newest closed candle open.

    `missing` candles lie between the two and aren't in the file; `forming` ones haven't closed and are left out.
    """

    format: str
    timeframe: Timeframe
    rows: int
    forming: int
    first: datetime
    last: datetime
    missing: int


def survey(reading: Reading, advance: Callable[[int], None]) -> Survey:
    """Return what is in a file, telling `advance` of rows as they are read; raises `UnusableFile`, `MalformedRows`."""
    surveyor: _Surveyor | None = None
    for table in tables(reading.path, reading.format, reading.zone, reading.block_bytes):
        if surveyor is None:
            surveyor = _Surveyor(reading, _timeframe(reading, table))
        # A broken archive shows at its end, and explains what looks malformed before: so it is read that far.
        if len(surveyor.problems) <= MAX_PROBLEMS:
            surveyor.look_at(table)
        advance(table.rows.height)
    assert surveyor is not None, "a file without rows is unusable"
    return surveyor.result()


class _Surveyor:
    def __init__(self, reading: Reading, timeframe: Timeframe) -> None:
        self.problems: list[Problem] = []
        self._reading = reading
        self._timeframe = timeframe
        self._step = timeframe.seconds * 1_000_000
        self._now = to_milliseconds(reading.now) * 1000
        self._format = ""
        self._rows = 0
        # The line of each bucket since 1970: pages of memory are only taken where candles are.
        self._lines = np.zeros(self._now // self._step + 1, np.int64)
        self._sources: list[tuple[int, str]] = []
        self._newest_line = 0

    def look_at(self, table: Table) -> None:
        """Check some rows and note when they open."""
        rules = Rules(self._timeframe, self._now, table.time_right)
        some = islice(malformed(table.rows, rules), MAX_PROBLEMS + 1)
        found = [Problem(table.place(index), message) for index, message in some]
        told = sorted([*table.problems, *found], key=lambda problem: problem.place.number)
        self.problems += told or self._repetitions(table)
        self._rows += table.rows.height
        self._format = table.format

    def result(self) -> Survey:
        """Return what was seen; raises `MalformedRows`."""
        if self.problems:
            more = len(self.problems) > MAX_PROBLEMS
            raise MalformedRows(self._reading.path, self.problems[:MAX_PROBLEMS], more=more)
        closed = np.flatnonzero(self._lines[: self._now // self._step])
        if not len(closed):
            raise UnusableFile(self._reading.path, "none of its candles has closed yet")
        first, last = int(closed[0]), int(closed[-1])
        forming = self._rows - len(closed)
        missing = last - first + 1 - len(closed)
        return Survey(self._format, self._timeframe, self._rows, forming, self._at(first), self._at(last), missing)

    def _at(self, bucket: int) -> datetime:
        return from_milliseconds(bucket * self._step // 1000)

    def _repetitions(self, table: Table) -> list[Problem]:
        """Note the lines of candles; return those whose time was there before, in any file of the archive."""
        if not self._sources or self._sources[-1][1] != table.source:
            self._sources.append((self._newest_line, table.source))
        lines = table.numbers + self._sources[-1][0]
        self._newest_line = int(lines[-1]) if len(lines) else self._newest_line
        buckets = table.rows["at"].to_numpy() // self._step
        again = islice(repeated(buckets, lines, self._lines), MAX_PROBLEMS + 1)
        return [
            Problem(
                table.place(index),
                f"it opens when the candle of {self._place(line, table.unit)} does; one of them is too many",
            )
            for index, line in again
        ]

    def _place(self, line: int, unit: str) -> Place:
        begin, source = next(each for each in reversed(self._sources) if each[0] < line)
        return Place(source, line - begin, unit)


def _timeframe(reading: Reading, table: Table) -> Timeframe:
    """Return how long the file's candles are, as the option says, or as most of them lie apart."""
    steps = table.rows["at"].drop_nulls().unique().sort().diff().drop_nulls() // 1_000_000
    known = ", ".join(timeframe.venue_name for timeframe in Timeframe)
    if reading.timeframe is not None:
        if len(steps) >= _FEW_ROWS and int(steps.sort()[0]) > reading.timeframe.seconds:
            wanted = reading.timeframe.venue_name
            raise UnusableFile(reading.path, f"its candles are {_span(steps)} apart, no two of them {wanted}")
        return reading.timeframe
    if steps.is_empty():
        raise UnusableFile(reading.path, f"a single row doesn't tell how long its candle is; pass --timeframe: {known}")
    found = next((timeframe for timeframe in Timeframe if timeframe.seconds == _usual(steps)), None)
    if found is None:
        raise UnusableFile(reading.path, f"its candles are {_span(steps)} apart; the engine's timeframes are {known}")
    return found


def _usual(steps: pl.Series) -> int:
    """Return the commonest of some numbers, the smallest of several such."""
    return int(steps.mode().sort()[0])


def _span(steps: pl.Series) -> str:
    return str(timedelta(seconds=_usual(steps)))
