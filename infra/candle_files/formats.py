"""What the lines of a file of candles are: where its rows begin, what separates columns, which is what."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from infra.candle_files.columns import (
    INDEX_NAMES,
    ColumnChoice,
    Places,
    Traded,
    clock_column,
    has_prices,
    is_time_name,
    named_columns,
    normal,
    numbered_columns,
)
from infra.candle_files.errors import UnusableFileError
from infra.candle_files.headerless import placed_columns
from infra.candle_files.numerals import has_decimal_comma, is_number
from infra.candle_files.timestamps import TimeForm, is_clock, time_form

_FIRST_LINE = "its first line is"
_SEPARATORS = (";", "\t", "|")
_LEAST_COLUMNS, _LEAST_NUMBERS = 5, 4
_DAY = re.compile(r"(?<!\d)(20\d{2}|19\d{2})(\d{2})(\d{2})(?!\d)")
_SHORTEST_TIME = 8
_LEAN_COLUMNS, _BINANCE_COLUMNS = 6, 12


class FileFormat(StrEnum):
    """The forms of files that are known; the value is what `--format` takes."""

    AUTO = "auto"
    LEAN = "lean"
    BINANCE = "binance"
    GENERIC = "generic"


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What the user says of a file: its form, the zone of times without offset, its columns, the market it is of."""

    format: FileFormat
    zone: ZoneInfo
    columns: ColumnChoice = field(default_factory=ColumnChoice)
    traded: Traded = field(default_factory=Traded)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in the lines of a file: `skipped` lines stand before its rows of `columns` columns."""

    format: FileFormat
    separator: bytes
    columns: int
    places: Places
    skipped: int
    time: TimeForm
    decimal_comma: bool


def recognise(source: str, lines: Sequence[str], options: FileOptions, more: Callable[[], Sequence[str]]) -> Layout:
    """Return the layout of a file out of its first lines; raises `UnusableFileError` saying what would be right.

    `more` returns further lines, which are asked for where the first don't tell days from months.
    """
    separator = _separator(lines)
    rows = _split(lines, separator)
    header, skipped = _header(source, rows, options.columns)
    data = rows[skipped:]
    width = len(data[0]) if header is None else len(header)
    sample = [row for row in data if len(row) == width] or [data[0]]
    places = _places(source, header, sample, options)
    if header is not None and normal(header[places.time[0]]) in INDEX_NAMES and _counts_rows(sample, places):
        places = named_columns(source, ["row", *header[1:]], options.columns, options.traded, told_as=_FIRST_LINE)
    form = _form(source, _times(sample, places), width, options.zone, has_header=header is not None)
    if form.is_unclear:
        further = [row for row in _split(more(), separator) if len(row) == width]
        form = _clear(source, _times([*sample, *further], places), options.zone)
    if form.is_day and header is not None and len(places.time) == 1 and not options.columns.given.get("time"):
        places, form = _with_clock(header, sample, places, form, options.zone)
    found = _format(width, form, has_header=header is not None)
    if options.format not in {FileFormat.AUTO, found}:
        raise UnusableFileError(
            source, f"it doesn't look like --format {options.format}, but like {found}; leave the option out"
        )
    comma = separator != "," and has_decimal_comma(_numbers(sample, places))
    return Layout(found, separator.encode(), width, places, skipped, form, comma)


def _separator(lines: Sequence[str]) -> str:
    """Return what stands between columns; a decimal comma beside semicolons is none."""
    counted = lines[-1]
    rarer = max(_SEPARATORS, key=counted.count)
    return rarer if counted.count(rarer) >= _LEAST_COLUMNS - 1 else ","


def _split(lines: Sequence[str], separator: str) -> list[list[str]]:
    return [[text.strip() for text in line.split(separator)] for line in lines]


def _header(source: str, rows: Sequence[Sequence[str]], choice: ColumnChoice) -> tuple[list[str] | None, int]:
    """Return the names of the columns, None where there are none, and how many lines stand before the rows."""
    begins = next((place for place, row in enumerate(rows) if _is_data(row)), len(rows))
    named = next((place for place, row in enumerate(rows[:begins]) if has_prices(row)), None)
    if named is None and begins and choice.given:
        named = next((place for place, row in enumerate(rows[:begins]) if _holds(row, choice)), None)
    if named is None:
        # The last line before the rows that has as many columns; a title or an address above them has not.
        alike = [place for place in range(begins) if begins == len(rows) or len(rows[place]) == len(rows[begins])]
        if not alike:
            return None, begins
        named = alike[-1] if begins < len(rows) else alike[0]
    header, skipped = list(rows[named]), named + 1
    while skipped < len(rows) and _goes_on(rows[skipped]):
        # yfinance's second and third line: the ticker, and the name of the index.
        header[0] = rows[skipped][0] if is_time_name(rows[skipped][0]) else header[0]
        skipped += 1
    if skipped == len(rows):
        raise UnusableFileError(
            source, f"there are no rows of candles; its only line is {','.join(rows[named])[:80]!r}"
        )
    return header, skipped


def _is_data(row: Sequence[str]) -> bool:
    return len(row) >= _LEAST_COLUMNS and sum(map(is_number, row)) >= _LEAST_NUMBERS


def _holds(row: Sequence[str], choice: ColumnChoice) -> bool:
    names = {normal(name) for name in row}
    given = [each for several in choice.given.values() for each in several if not each.isdigit()]
    return bool(given) and any(normal(each) in names for each in given)


def _goes_on(row: Sequence[str]) -> bool:
    first, *others = row
    return normal(first) == "ticker" or (is_time_name(first) and bool(others) and not any(others))


def _places(source: str, header: Sequence[str] | None, sample: Sequence[Sequence[str]], options: FileOptions) -> Places:
    if header is not None:
        return named_columns(source, header, options.columns, options.traded, told_as=_FIRST_LINE)
    if options.columns.given:
        return numbered_columns(source, len(sample[0]), options.columns)
    return placed_columns(source, sample)


def _times(sample: Sequence[Sequence[str]], places: Places) -> list[str]:
    return [" ".join(row[place] for place in places.time if place < len(row)) for row in sample]


def _counts_rows(sample: Sequence[Sequence[str]], places: Places) -> bool:
    """Tell whether an index without a name numbers the rows, as pandas' does where nothing else was made the index."""
    return all(text.isdigit() and len(text) < _SHORTEST_TIME for text in _times(sample, places))


def _numbers(sample: Sequence[Sequence[str]], places: Places) -> list[str]:
    return [row[place] for row in sample for place in places.numbers if place is not None and place < len(row)]


def _with_clock(
    header: Sequence[str], sample: Sequence[Sequence[str]], places: Places, form: TimeForm, zone: ZoneInfo
) -> tuple[Places, TimeForm]:
    """Return day and hour together where the hour stands in a column of its own."""
    clock = clock_column(header, places.time[0])
    if clock is None or clock in places.numbers or not is_clock(sample[0][clock]):
        return places, form
    both = Places((places.time[0], clock), places.prices, places.volume)
    joined = time_form(_times(sample, both), zone, can_be_of_day=False)
    return (places, form) if joined is None else (both, joined)


def _form(source: str, sample: Sequence[str], columns: int, zone: ZoneInfo, *, has_header: bool) -> TimeForm:
    of_day = not has_header and columns == _LEAN_COLUMNS
    form = time_form(sample, zone, _day_in(source, zone), can_be_of_day=of_day)
    if form is None:
        raise UnusableFileError(
            source,
            f"its first time is {sample[0][:40]!r}, which can't be read; it may be ISO 8601 "
            "(2018-04-04 00:01:00+00:00), 2018.04.04 00:01, 04.04.2018 00:01:00.000, yyyymmdd hh:mm, or seconds, "
            "milliseconds, microseconds or nanoseconds since 1970",
        )
    if form.counts_from_midnight and form.midnight is None:
        raise UnusableFileError(
            source,
            f"its first time is {sample[0]!r}, milliseconds since midnight it seems, and its name doesn't tell the "
            "day; the name must hold it as yyyymmdd, as in 20180404_btcusd_minute_trade.csv",
        )
    return form


def _clear(source: str, times: Sequence[str], zone: ZoneInfo) -> TimeForm:
    form = time_form(times, zone, can_be_of_day=False)
    if form is None or form.is_unclear:
        told = f"its times, such as {times[0][:40]!r}, may be day/month or month/day; write them as 2018-04-04"
        raise UnusableFileError(source, told)
    return form


def _format(columns: int, form: TimeForm, *, has_header: bool) -> FileFormat:
    if columns == _BINANCE_COLUMNS:
        return FileFormat.BINANCE
    if not has_header and columns == _LEAN_COLUMNS and (form.counts_from_midnight or form.pattern.startswith("%Y%m%d")):
        return FileFormat.LEAN
    return FileFormat.GENERIC


def _day_in(source: str, zone: ZoneInfo) -> datetime | None:
    """Return the day that a file's name, or its archive's, tells as yyyymmdd."""
    for name in reversed(source.split("/")):
        for year, month, day in _DAY.findall(name):
            try:
                return datetime(int(year), int(month), int(day), tzinfo=zone)
            except ValueError:
                continue
    return None
