"""How a file writes the times at which its candles open."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

import polars as pl

DAY_MS = 86_400_000
_DATE = re.compile(
    r"(\d{4})([-/])\d{2}\2\d{2}(?:([T ])\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?)?( ?(?:Z|UTC)| ?[+-]\d{2}:?\d{2})?"
)
_COMPACT = re.compile(r"\d{8}( \d{2}:\d{2}(:\d{2})?)?")
_EPOCH = re.compile(r"\d{1,19}(\.0*)?")
# Seconds reach the year 5138 before they pass for milliseconds of 1973, and so on: the size alone tells the unit.
_SECONDS_BELOW, _MILLISECONDS_BELOW, _MICROSECONDS_BELOW = 10**11, 10**14, 10**17


class Writing(StrEnum):
    """What kind of thing stands in the column of times; the value says it in an error."""

    EPOCH = "seconds, milliseconds, microseconds or nanoseconds since 1970, such as 1522800000"
    MIDNIGHT = "milliseconds since midnight, 0 to 86399999"
    TEXT = "a date and time"


@dataclass(frozen=True, slots=True)
class TimeForm:
    """How times are written: `pattern` (of strftime) where they are text, `midnight` where they count from one.

    `zone` is what times without an offset of their own are in.
    """

    writing: Writing
    zone: ZoneInfo
    pattern: str = ""
    midnight: datetime | None = None
    sample: str = ""

    @property
    def says_zone(self) -> bool:
        """Whether each time tells its own offset from UTC."""
        return self.pattern.endswith(("Z", "UTC", "%:z"))

    @property
    def counts_from_midnight(self) -> bool:
        """Whether times are milliseconds of a day that the file's name tells."""
        return self.writing is Writing.MIDNIGHT

    @property
    def right(self) -> str:
        """What would be right, for an error."""
        return f"{self.writing.value} like {self.sample}" if self.writing is Writing.TEXT else self.writing.value


def time_form(sample: str, zone: ZoneInfo, midnight: datetime | None = None, *, can_be_of_day: bool) -> TimeForm | None:
    """Return how `sample`, the first time of a file, is written; None where it is no time.

    `can_be_of_day` allows milliseconds since midnight; then `midnight` says of which day, as the file's name told it.
    Eight digits are a date unless they end in 000, as no date does and every candle's milliseconds do.
    """
    if _COMPACT.fullmatch(sample) and not (sample.isdigit() and sample.endswith("000")):
        return TimeForm(Writing.TEXT, zone, _compact_pattern(sample), sample=sample)
    if _EPOCH.fullmatch(sample):
        if can_be_of_day and float(sample) < DAY_MS:
            return TimeForm(Writing.MIDNIGHT, zone, midnight=midnight)
        return TimeForm(Writing.EPOCH, zone, sample=sample)
    written = _DATE.fullmatch(sample)
    return None if written is None else TimeForm(Writing.TEXT, zone, _pattern(written), sample=sample)


def microseconds(column: pl.Expr, form: TimeForm) -> pl.Expr:
    """Return the times of a column of strings as microseconds since 1970 (UTC); null for what can't be read."""
    match form.writing:
        case Writing.EPOCH:
            return _from_epoch(_integers(column, form.sample))
        case Writing.MIDNIGHT:
            assert form.midnight is not None
            start = int(form.midnight.timestamp()) * 1_000_000
            of_day = _integers(column, form.sample)
            return pl.when(of_day.is_between(0, DAY_MS - 1)).then(of_day * 1000 + start)
        case Writing.TEXT:
            times = _from_text(column, form.pattern)
            return (times if form.says_zone else _utc(times, form.zone)).dt.epoch("us")


def typed_microseconds(column: pl.Expr, kind: pl.DataType, zone: ZoneInfo) -> pl.Expr:
    """Return the times of a column that isn't text: whole numbers since 1970, dates, or times with or without zone."""
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return column.dt.convert_time_zone("UTC").dt.epoch("us")
    if isinstance(kind, pl.Datetime | pl.Date):
        return _utc(column.cast(pl.Datetime("us")), zone).dt.epoch("us")
    return _from_epoch(column.cast(pl.Int64, strict=False))


def shown(microseconds_: int) -> str:
    """Return a moment as people read it, in UTC."""
    at = datetime.fromtimestamp(microseconds_ // 1_000_000, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}" if microseconds_ % 60_000_000 else f"{at:%Y-%m-%d %H:%M}"


def _integers(column: pl.Expr, sample: str) -> pl.Expr:
    """Return whole numbers, also those that a float wrote, as in 1522800000.0."""
    return (column.str.replace(r"\.0*$", "") if "." in sample else column).cast(pl.Int64, strict=False)


def _from_epoch(number: pl.Expr) -> pl.Expr:
    return (
        pl.when((number < 0) | ((number >= _MICROSECONDS_BELOW) & (number % 1000 != 0)))
        .then(None)
        .when(number < _SECONDS_BELOW)
        .then(number * 1_000_000)
        .when(number < _MILLISECONDS_BELOW)
        .then(number * 1000)
        .when(number < _MICROSECONDS_BELOW)
        .then(number)
        .otherwise(number // 1000)
    )


def _from_text(column: pl.Expr, pattern: str) -> pl.Expr:
    if "%H" not in pattern:
        return column.str.to_date(pattern, strict=False).cast(pl.Datetime("us"))
    return column.str.to_datetime(pattern, time_unit="us", strict=False)


def _utc(times: pl.Expr, zone: ZoneInfo) -> pl.Expr:
    """Return times without zone as those of `zone`; null where they are none of it, or two (the clock's change)."""
    if zone.key == "UTC":
        return times
    local = times.dt.replace_time_zone(zone.key, ambiguous="null", non_existent="null")
    return local.dt.convert_time_zone("UTC")


def _compact_pattern(sample: str) -> str:
    return {8: "%Y%m%d", 14: "%Y%m%d %H:%M", 17: "%Y%m%d %H:%M:%S"}[len(sample)]


def _pattern(written: re.Match[str]) -> str:
    _, dash, middle, seconds, fraction, offset = written.groups()
    pattern = f"%Y{dash}%m{dash}%d"
    if middle:
        pattern += f"{middle}%H:%M"
        pattern += ":%S" if seconds else ""
        pattern += "%.f" if fraction else ""
    if offset is None:
        return pattern
    space = " " if offset.startswith(" ") else ""
    return pattern + space + (offset.strip() if offset.strip() in {"Z", "UTC"} else "%:z")
