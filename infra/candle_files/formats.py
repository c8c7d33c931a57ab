"""Detects the layout of a text file of candles: header, separator, columns, and how times are written."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from infra.candle_files.columns import (
    INDEX_NAMES,
    ColumnChoice,
    ColumnPositions,
    TradedPair,
    clock_column,
    columns_by_name,
    columns_by_number,
    has_price_names,
    is_time_name,
    normalise_name,
)
from infra.candle_files.errors import UnusableFileError
from infra.candle_files.headerless import detect_columns
from infra.candle_files.numerals import has_decimal_comma, is_number
from infra.candle_files.timestamps import TimestampFormat, detect_timestamp_format, is_clock

_FIRST_LINE = "its first line is"
_SEPARATORS = (";", "\t", "|")
_LEAST_COLUMNS, _LEAST_NUMBERS = 5, 4
_DAY = re.compile(r"(?<!\d)(20\d{2}|19\d{2})(\d{2})(\d{2})(?!\d)")
_SHORTEST_TIME = 8
_LEAN_COLUMNS, _BINANCE_COLUMNS = 6, 12


class FileFormat(StrEnum):
    """The known formats; the value is what `--format` takes."""

    AUTO = "auto"
    LEAN = "lean"
    BINANCE = "binance"
    GENERIC = "generic"


@dataclass(frozen=True, slots=True)
class FileOptions:
    """The command's options for a file: its format, the zone of times without offset, its columns, its market."""

    format: FileFormat
    zone: ZoneInfo
    columns: ColumnChoice = field(default_factory=ColumnChoice)
    traded: TradedPair = field(default_factory=TradedPair)


@dataclass(frozen=True, slots=True)
class Layout:
    """The layout of a file's lines: `skipped` lines come before its rows of `columns` columns."""

    format: FileFormat
    separator: bytes
    columns: int
    positions: ColumnPositions
    skipped: int
    time: TimestampFormat
    decimal_comma: bool


def detect_layout(
    source: str, lines: Sequence[str], options: FileOptions, all_lines: Callable[[], Sequence[str]]
) -> Layout:
    """Return the layout of a file, by its first lines; raises `UnusableFileError` saying what would be right.

    `all_lines` returns further lines; it is called if the first ones don't distinguish days from months.
    """
    separator = _separator(lines)
    rows = _split_lines(lines, separator)
    header, skipped = _find_header(source, rows, options.columns)
    data = rows[skipped:]
    width = len(data[0]) if header is None else len(header)
    sample = [row for row in data if len(row) == width] or [data[0]]
    positions = _positions(source, header, sample, options)
    if (
        header is not None
        and normalise_name(header[positions.time[0]]) in INDEX_NAMES
        and _is_row_index(sample, positions)
    ):
        positions = columns_by_name(
            source, ["row", *header[1:]], options.columns, options.traded, described_as=_FIRST_LINE
        )
    time_format = _detect_time_format(
        source, _time_texts(sample, positions), width, options.zone, has_header=header is not None
    )
    if time_format.is_ambiguous:
        further = [row for row in _split_lines(all_lines(), separator) if len(row) == width]
        time_format = _disambiguate(source, _time_texts([*sample, *further], positions), options.zone)
    if time_format.is_day and header is not None and len(positions.time) == 1 and not options.columns.given.get("time"):
        positions, time_format = _join_clock(header, sample, positions, time_format, options.zone)
    detected = _detect_format(width, time_format, has_header=header is not None)
    if options.format not in {FileFormat.AUTO, detected}:
        raise UnusableFileError(
            source, f"it doesn't look like --format {options.format}, but like {detected}; leave the option out"
        )
    decimal_comma = separator != "," and has_decimal_comma(_number_texts(sample, positions))
    return Layout(detected, separator.encode(), width, positions, skipped, time_format, decimal_comma)


def _separator(lines: Sequence[str]) -> str:
    """Return the separator of columns; a comma is a decimal comma if another separator is there."""
    last = lines[-1]
    separator = max(_SEPARATORS, key=last.count)
    return separator if last.count(separator) >= _LEAST_COLUMNS - 1 else ","


def _split_lines(lines: Sequence[str], separator: str) -> list[list[str]]:
    return [[text.strip() for text in line.split(separator)] for line in lines]


def _find_header(source: str, rows: Sequence[Sequence[str]], choice: ColumnChoice) -> tuple[list[str] | None, int]:
    """Return the names of the columns (None without a header), and how many lines come before the rows."""
    first_row = next((position for position, row in enumerate(rows) if _is_data(row)), len(rows))
    header_row = next((position for position, row in enumerate(rows[:first_row]) if has_price_names(row)), None)
    if header_row is None and first_row and choice.given:
        header_row = next(
            (position for position, row in enumerate(rows[:first_row]) if _contains_chosen(row, choice)), None
        )
    if header_row is None:
        # The last line before the rows that has as many columns; a title or an address above them has not.
        candidates = [
            position
            for position in range(first_row)
            if first_row == len(rows) or len(rows[position]) == len(rows[first_row])
        ]
        if not candidates:
            return None, first_row
        header_row = candidates[-1] if first_row < len(rows) else candidates[0]
    header, skipped = list(rows[header_row]), header_row + 1
    while skipped < len(rows) and _is_header_continuation(rows[skipped]):
        # yfinance's second and third line: the ticker, and the name of the index.
        header[0] = rows[skipped][0] if is_time_name(rows[skipped][0]) else header[0]
        skipped += 1
    if skipped == len(rows):
        raise UnusableFileError(
            source, f"there are no rows of candles; its only line is {','.join(rows[header_row])[:80]!r}"
        )
    return header, skipped


def _is_data(row: Sequence[str]) -> bool:
    return len(row) >= _LEAST_COLUMNS and sum(map(is_number, row)) >= _LEAST_NUMBERS


def _contains_chosen(row: Sequence[str], choice: ColumnChoice) -> bool:
    names = {normalise_name(name) for name in row}
    given = [name for several in choice.given.values() for name in several if not name.isdigit()]
    return bool(given) and any(normalise_name(name) in names for name in given)


def _is_header_continuation(row: Sequence[str]) -> bool:
    first, *others = row
    return normalise_name(first) == "ticker" or (is_time_name(first) and bool(others) and not any(others))


def _positions(
    source: str, header: Sequence[str] | None, sample: Sequence[Sequence[str]], options: FileOptions
) -> ColumnPositions:
    if header is not None:
        return columns_by_name(source, header, options.columns, options.traded, described_as=_FIRST_LINE)
    if options.columns.given:
        return columns_by_number(source, len(sample[0]), options.columns)
    return detect_columns(source, sample)


def _time_texts(sample: Sequence[Sequence[str]], positions: ColumnPositions) -> list[str]:
    return [" ".join(row[position] for position in positions.time if position < len(row)) for row in sample]


def _is_row_index(sample: Sequence[Sequence[str]], positions: ColumnPositions) -> bool:
    """Return whether an unnamed index just numbers the rows, as pandas' default index does."""
    return all(text.isdigit() and len(text) < _SHORTEST_TIME for text in _time_texts(sample, positions))


def _number_texts(sample: Sequence[Sequence[str]], positions: ColumnPositions) -> list[str]:
    return [
        row[position]
        for row in sample
        for position in positions.numbers
        if position is not None and position < len(row)
    ]


def _join_clock(
    header: Sequence[str],
    sample: Sequence[Sequence[str]],
    positions: ColumnPositions,
    time_format: TimestampFormat,
    zone: ZoneInfo,
) -> tuple[ColumnPositions, TimestampFormat]:
    """Return day and hour together if the hour is in a column of its own."""
    clock = clock_column(header, positions.time[0])
    if clock is None or clock in positions.numbers or not is_clock(sample[0][clock]):
        return positions, time_format
    joined = ColumnPositions((positions.time[0], clock), positions.prices, positions.volume)
    joined_format = detect_timestamp_format(_time_texts(sample, joined), zone, may_be_since_midnight=False)
    return (positions, time_format) if joined_format is None else (joined, joined_format)


def _detect_time_format(
    source: str, sample: Sequence[str], columns: int, zone: ZoneInfo, *, has_header: bool
) -> TimestampFormat:
    is_lean = not has_header and columns == _LEAN_COLUMNS
    time_format = detect_timestamp_format(sample, zone, _date_in_name(source, zone), may_be_since_midnight=is_lean)
    if time_format is None:
        raise UnusableFileError(
            source,
            f"its first time is {sample[0][:40]!r}, which can't be read; it may be ISO 8601 "
            "(2018-04-04 00:01:00+00:00), 2018.04.04 00:01, 04.04.2018 00:01:00.000, yyyymmdd hh:mm, or seconds, "
            "milliseconds, microseconds or nanoseconds since 1970",
        )
    if time_format.is_since_midnight and time_format.midnight is None:
        raise UnusableFileError(
            source,
            f"its first time is {sample[0]!r}, milliseconds since midnight it seems, and its name doesn't tell the "
            "day; the name must hold it as yyyymmdd, as in 20180404_btcusd_minute_trade.csv",
        )
    return time_format


def _disambiguate(source: str, times: Sequence[str], zone: ZoneInfo) -> TimestampFormat:
    time_format = detect_timestamp_format(times, zone, may_be_since_midnight=False)
    if time_format is None or time_format.is_ambiguous:
        reason = f"its times, such as {times[0][:40]!r}, may be day/month or month/day; write them as 2018-04-04"
        raise UnusableFileError(source, reason)
    return time_format


def _detect_format(columns: int, time_format: TimestampFormat, *, has_header: bool) -> FileFormat:
    if columns == _BINANCE_COLUMNS:
        return FileFormat.BINANCE
    if (
        not has_header
        and columns == _LEAN_COLUMNS
        and (time_format.is_since_midnight or time_format.pattern.startswith("%Y%m%d"))
    ):
        return FileFormat.LEAN
    return FileFormat.GENERIC


def _date_in_name(source: str, zone: ZoneInfo) -> datetime | None:
    """Return the day in a file's name, or in its archive's, as yyyymmdd."""
    for name in reversed(source.split("/")):
        for year, month, day in _DAY.findall(name):
            try:
                return datetime(int(year), int(month), int(day), tzinfo=zone)
            except ValueError:
                continue
    return None
