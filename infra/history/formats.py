"""Which column of a file of candles is what, by its header, its first row or its name."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from infra.history.problems import UnusableFile
from infra.history.times import TimeForm, time_form

FIELDS = ("time", "open", "high", "low", "close", "volume")
_TIME_NAMES = ("open_time", "opentime", "open time", "timestamp", "unix", "ts", "datetime", "date", "time", "start")
"""In the order in which they are taken where a file has several, as `unix` beside `date`."""
_VOLUME_NAMES = ("volume", "vol", "base_volume", "base volume", "volume_base")
_SEPARATORS = (b",", b";", b"\t", b"|")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_DAY = re.compile(r"(?<!\d)(20\d{2}|19\d{2})(\d{2})(\d{2})(?!\d)")
_LEAN_COLUMNS, _KRAKEN_COLUMNS, _BINANCE_COLUMNS = 6, 7, 12


class FileFormat(StrEnum):
    """The forms of files that are known; the value is what `--format` takes."""

    AUTO = "auto"
    LEAN = "lean"
    BINANCE = "binance"
    GENERIC = "generic"


@dataclass(frozen=True, slots=True)
class Layout:
    """Where things are in the lines of a file: `positions` are those of `FIELDS` among its `columns`."""

    format: FileFormat
    separator: bytes
    columns: int
    positions: tuple[int, ...]
    has_header: bool
    time: TimeForm


def recognise(source: str, lines: Sequence[str], wanted: FileFormat, zone: ZoneInfo) -> Layout:
    """Return the layout of a file out of its first two lines; raises `UnusableFile` saying what would be right."""
    separator = max(_SEPARATORS, key=lambda each: lines[0].count(each.decode()))
    rows = [[field.strip() for field in line.split(separator.decode())] for line in lines[:2]]
    has_header = not _NUMBER.fullmatch(rows[0][1] if len(rows[0]) > 1 else "")
    if has_header and len(rows) == 1:
        raise UnusableFile(source, f"there are no rows of candles; its only line is {lines[0][:80]!r}")
    positions = _named(source, rows[0]) if has_header else _placed(source, rows[0])
    sample = rows[-1 if has_header else 0]
    form = _form(
        source, sample[positions[0]] if len(sample) > positions[0] else "", len(rows[0]), zone, has_header=has_header
    )
    found = _format(len(rows[0]), form, has_header=has_header)
    if wanted not in {FileFormat.AUTO, found}:
        raise UnusableFile(source, f"it doesn't look like --format {wanted}, but like {found}; leave the option out")
    return Layout(found, separator, len(rows[0]), positions, has_header, form)


def named_columns(source: str, names: Sequence[str], *, quote: str = "its columns are") -> tuple[int, ...]:
    """Return where the fields of a candle are among named columns; raises `UnusableFile` for one that isn't there."""
    lowered = [name.strip().lower() for name in names]
    time = next((name for name in _TIME_NAMES if name in lowered), None)
    volume = next((name for name in _VOLUME_NAMES if name in lowered), None)
    found = [time, *(name if name in lowered else None for name in FIELDS[1:5]), volume]
    missing = [field for field, name in zip(FIELDS, found, strict=True) if name is None]
    if missing:
        told = ", ".join(names)[:200]
        raise UnusableFile(
            source,
            f"there is no column {' nor '.join(missing)}; {quote} {told}. It needs a time ({', '.join(_TIME_NAMES)}), "
            "open, high, low, close and volume",
        )
    return tuple(lowered.index(name) for name in found if name is not None)


def _named(source: str, header: Sequence[str]) -> tuple[int, ...]:
    return named_columns(source, header, quote="its first line is")


def _placed(source: str, row: Sequence[str]) -> tuple[int, ...]:
    if len(row) not in {_LEAN_COLUMNS, _KRAKEN_COLUMNS, _BINANCE_COLUMNS}:
        raise UnusableFile(
            source,
            f"it has {len(row)} columns and no header. Without one there must be 6 (time, open, high, low, close, "
            "volume), 7 (and the number of trades) or Binance's 12; else name the columns in a first line",
        )
    return tuple(range(len(FIELDS)))


def _form(source: str, sample: str, columns: int, zone: ZoneInfo, *, has_header: bool) -> TimeForm:
    of_day = not has_header and columns == _LEAN_COLUMNS
    form = time_form(sample, zone, _day_in(source, zone), can_be_of_day=of_day)
    if form is None:
        raise UnusableFile(
            source,
            f"its first time is {sample[:40]!r}, which can't be read; it may be ISO 8601 (2018-04-04 00:01:00+00:00), "
            "yyyymmdd hh:mm, or seconds, milliseconds, microseconds or nanoseconds since 1970",
        )
    if form.counts_from_midnight and form.midnight is None:
        raise UnusableFile(
            source,
            f"its first time is {sample!r}, milliseconds since midnight it seems, and its name doesn't tell the day; "
            "the name must hold it as yyyymmdd, as in 20180404_btcusd_minute_trade.csv",
        )
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
