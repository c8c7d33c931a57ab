"""Reads a file of candles from end to end before any of it is stored, and checks every row."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

import numpy as np
import polars as pl

from domain.core.clock import from_milliseconds, to_milliseconds
from domain.model.markets import Timeframe
from infra.candle_files.column_reader import Table, read_tables
from infra.candle_files.errors import MAX_ERRORS, MalformedRows, RowError, RowLocation, UnusableFileError
from infra.candle_files.formats import FileOptions
from infra.candle_files.grid import FEW_ROWS, TimeGrid, guess_timeframe
from infra.candle_files.line_reader import BLOCK_BYTES
from infra.candle_files.row_checks import RowRules, find_duplicates, find_malformed, first_opening


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read a file: the options of the command, and the timeframe of its candles (None: detect it)."""

    path: Path
    file: FileOptions
    timeframe: Timeframe | None
    now: datetime
    block_bytes: int = BLOCK_BYTES


@dataclass(frozen=True, slots=True)
class FileSummary:
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


def inspect_file(options: ReadOptions, advance: Callable[[int], None]) -> FileSummary:
    """Check a file and return what is in it; raises `UnusableFileError` and `MalformedRows`.

    `advance` is called with the number of rows after each batch.
    """
    inspector: _Inspector | None = None
    first_tables: list[Table] = []
    for table in read_tables(options.path, options.file, options.block_bytes):
        if inspector is None:
            first_tables.append(table)
            if not _has_enough_rows(first_tables):
                continue
            inspector = _start_inspection(options, first_tables)
        else:
            inspector.check(table)
        advance(table.rows.height)
    return (inspector or _start_inspection(options, first_tables)).result()


def _has_enough_rows(first_tables: Sequence[Table]) -> bool:
    """Return whether there are enough rows to detect the timeframe; a file may begin with many blank ones."""
    return sum(table.rows.height for table in first_tables) > FEW_ROWS


def _start_inspection(options: ReadOptions, first_tables: Sequence[Table]) -> "_Inspector":
    times = pl.concat([table.rows["at"] for table in first_tables])
    inspector = _Inspector(options, options.timeframe or guess_timeframe(options.path, times))
    for table in first_tables:
        inspector.check(table)
    return inspector


class _Inspector:
    def __init__(self, options: ReadOptions, timeframe: Timeframe) -> None:
        self.errors: list[RowError] = []
        self._options = options
        self._timeframe = timeframe
        self._step = timeframe.seconds * 1_000_000
        self._origin = first_opening(timeframe)
        self._grid = TimeGrid()
        self._blank = 0
        self._now = to_milliseconds(options.now) * 1000
        self._format = ""
        self._rows = 0
        # The line number of each bucket since 1970; the kernel allocates only the pages that are written to.
        self._line_by_bucket = np.zeros(self._bucket(self._now) + 1, np.int64)
        self._sources: list[tuple[int, str]] = []
        self._newest_line = 0

    def check(self, table: Table) -> None:
        """Check a batch of rows and remember their opening times."""
        # A broken archive shows at its end, and explains what looks malformed before: so it is read that far.
        if len(self.errors) > MAX_ERRORS:
            return
        self._grid.add(table.rows["at"].drop_nulls().to_numpy())
        self._blank += table.blank
        rules = RowRules(self._timeframe, self._now, table.explain_time)
        malformed = islice(find_malformed(table.rows, rules), MAX_ERRORS + 1)
        row_errors = [RowError(table.location_of(index), message) for index, message in malformed]
        errors = sorted([*table.errors, *row_errors], key=lambda error: error.location.number)
        self.errors += errors or self._check_duplicates(table)
        self._rows += table.rows.height
        self._format = table.format

    def result(self) -> FileSummary:
        """Return the summary of all rows; raises `MalformedRows` and `UnusableFileError`."""
        if self._options.timeframe is not None:
            self._grid.check(self._options.path, self._timeframe)
        if self.errors:
            more = len(self.errors) > MAX_ERRORS
            raise MalformedRows(self._options.path, self.errors[:MAX_ERRORS], more=more)
        closed = np.flatnonzero(self._line_by_bucket[: self._bucket(self._now)])
        if not len(closed):
            reason = "none of its candles has closed yet" if self._rows else "there are no rows with prices in it"
            raise UnusableFileError(self._options.path, reason)
        first, last = int(closed[0]), int(closed[-1])
        forming = self._rows - len(closed)
        missing = last - first + 1 - len(closed)
        ends = self._at(first), self._at(last)
        return FileSummary(self._format, self._timeframe, self._rows, forming, *ends, missing, self._blank)

    def _at(self, bucket: int) -> datetime:
        return from_milliseconds((bucket * self._step + self._origin) // 1000)

    def _bucket(self, at: int) -> int:
        return (at - self._origin) // self._step

    def _check_duplicates(self, table: Table) -> list[RowError]:
        """Record the lines of candles; return errors for times that came before, in any file of the archive."""
        if not self._sources or self._sources[-1][1] != table.source:
            self._sources.append((self._newest_line, table.source))
        lines = table.line_numbers + self._sources[-1][0]
        self._newest_line = int(lines[-1]) if len(lines) else self._newest_line
        buckets = (table.rows["at"].to_numpy() - self._origin) // self._step
        duplicates = islice(find_duplicates(buckets, lines, self._line_by_bucket), MAX_ERRORS + 1)
        return [
            RowError(
                table.location_of(index),
                f"it opens when the candle of {self._location_of_line(line, table.unit)} does; one of them is too many",
            )
            for index, line in duplicates
        ]

    def _location_of_line(self, line: int, unit: str) -> RowLocation:
        start, source = next(entry for entry in reversed(self._sources) if entry[0] < line)
        return RowLocation(source, line - start, unit)
