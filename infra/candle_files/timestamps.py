"""How a file writes the opening times of its candles."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

import polars as pl

DAY_MS = 86_400_000
_OFFSET = r"( ?(?:Z|UTC|GMT)| ?(?:GMT|UTC)?[+-]\d{2}:?\d{2})?"
_CLOCK = r"\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?"
_DATE = re.compile(rf"(\d{{4}})([-/.])\d{{2}}\2\d{{2}}(?:([T ]){_CLOCK})?{_OFFSET}")
_DAY_OR_MONTH = re.compile(rf"(\d{{2}})([-/.])(\d{{2}})\2\d{{4}}(?:([T ]){_CLOCK})?{_OFFSET}")
_LAST_MONTH = 12
_COMPACT = re.compile(r"\d{8}( \d{2}:\d{2}(:\d{2})?| \d{4}(\d{2})?)?")
_CLOCK_ALONE = re.compile(rf"{_CLOCK}|\d{{4}}|\d{{6}}")
_EPOCH = re.compile(r"\d{1,19}(\.0*)?")
# Seconds reach the year 5138 before they pass for milliseconds of 1973, and so on: the size alone shows the unit.
_SECONDS_BELOW, _MILLISECONDS_BELOW, _MICROSECONDS_BELOW = 10**11, 10**14, 10**17


class TimestampKind(StrEnum):
    """What the column of times holds; the value describes it in error messages."""

    EPOCH = "seconds, milliseconds, microseconds or nanoseconds since 1970, such as 1522800000"
    MIDNIGHT = "milliseconds since midnight, 0 to 86399999"
    TEXT = "a date and time"


@dataclass(frozen=True, slots=True)
class TimestampFormat:
    """How times are written: `pattern` (strftime) for text, `midnight` for milliseconds since it.

    `zone` is that of times without an offset of their own.
    """

    kind: TimestampKind
    zone: ZoneInfo
    pattern: str = ""
    midnight: datetime | None = None
    sample: str = ""
    is_ambiguous: bool = False

    @property
    def has_offset(self) -> bool:
        """Whether each time has its own offset from UTC."""
        return self.pattern.endswith(("Z", "UTC", "GMT", "%:z"))

    @property
    def is_day(self) -> bool:
        """Whether the times are days without an hour."""
        return self.kind is TimestampKind.TEXT and "%H" not in self.pattern

    @property
    def is_since_midnight(self) -> bool:
        """Whether times are milliseconds of a day, which is in the file's name."""
        return self.kind is TimestampKind.MIDNIGHT

    def explain(self, text: str) -> str:
        """Return the error message for a time that can't be read."""
        if self.kind is TimestampKind.TEXT and not self.has_offset:
            read = pl.select(_from_text(pl.lit(text), self.pattern)).item()
            reason = None if read is None else describe_clock_change(read, self.zone)
            if reason is not None:
                return f"{text[:60]!r} {reason}"
        right = f"{self.kind.value} like {self.sample}" if self.kind is TimestampKind.TEXT else self.kind.value
        return f"{text[:60]!r} is no time as this file writes it: {right}"


def detect_timestamp_format(
    samples: Sequence[str], zone: ZoneInfo, midnight: datetime | None = None, *, may_be_since_midnight: bool
) -> TimestampFormat | None:
    """Return the format of the first of `samples`, the first times of a file; None if it is no time.

    `may_be_since_midnight` allows milliseconds since midnight; `midnight` is then that of the day in the file's name.
    Eight digits are a date unless they end in 000, as no date does and every candle's milliseconds do. For
    01/02/2024 the other samples may show which is the day; if they don't, the format is ambiguous.
    """
    sample = samples[0]
    if _COMPACT.fullmatch(sample) and not (sample.isdigit() and sample.endswith("000")):
        return TimestampFormat(TimestampKind.TEXT, zone, _compact_pattern(sample), sample=sample)
    if _EPOCH.fullmatch(sample):
        if may_be_since_midnight and float(sample) < DAY_MS:
            return TimestampFormat(TimestampKind.MIDNIGHT, zone, midnight=midnight)
        return TimestampFormat(TimestampKind.EPOCH, zone, sample=sample)
    return _detect_date_format(samples, zone)


def _detect_date_format(samples: Sequence[str], zone: ZoneInfo) -> TimestampFormat | None:
    if match := _DATE.fullmatch(samples[0]):
        separator, *rest = match.groups()[1:]
        return TimestampFormat(
            TimestampKind.TEXT, zone, _pattern(f"%Y{separator}%m{separator}%d", *rest), sample=samples[0]
        )
    match = _DAY_OR_MONTH.fullmatch(samples[0])
    if match is None:
        return None
    _, separator, _, *rest = match.groups()
    days = {_day_first(separator, sample) for sample in samples} - {None}
    if len(days) != 1:
        return TimestampFormat(TimestampKind.TEXT, zone, is_ambiguous=True, sample=samples[0])
    day = f"%d{separator}%m{separator}%Y" if days.pop() else f"%m{separator}%d{separator}%Y"
    return TimestampFormat(TimestampKind.TEXT, zone, _pattern(day, *rest), sample=samples[0])


def is_clock(text: str) -> bool:
    """Return whether a field is a time of day, as in a column next to one of days."""
    return bool(_CLOCK_ALONE.fullmatch(text))


def _day_first(separator: str, text: str) -> bool | None:
    """Return whether a date such as 31/01/2024 begins with its day, as dates with dots do; None if it is unclear."""
    match = _DAY_OR_MONTH.fullmatch(text)
    if match is None:
        return None
    first, second = int(match[1]), int(match[3])
    if separator == "." or first > _LAST_MONTH:
        return True
    return False if second > _LAST_MONTH else None


def microseconds(column: pl.Expr, time_format: TimestampFormat) -> pl.Expr:
    """Return a column of strings as microseconds since 1970 (UTC); null for what can't be read."""
    match time_format.kind:
        case TimestampKind.EPOCH:
            return _from_epoch(_integers(column, time_format.sample))
        case TimestampKind.MIDNIGHT:
            assert time_format.midnight is not None
            start = int(time_format.midnight.timestamp()) * 1_000_000
            since_midnight = _integers(column, time_format.sample)
            return pl.when(since_midnight.is_between(0, DAY_MS - 1)).then(since_midnight * 1000 + start)
        case TimestampKind.TEXT:
            times = _from_text(column, time_format.pattern)
            return (times if time_format.has_offset else _utc(times, time_format.zone)).dt.epoch("us")


def typed_microseconds(column: pl.Expr, kind: pl.DataType, zone: ZoneInfo) -> pl.Expr:
    """Return a typed column (whole numbers since 1970, dates, or times) as microseconds since 1970 (UTC)."""
    if isinstance(kind, pl.Datetime) and kind.time_zone is not None:
        return column.dt.convert_time_zone("UTC").dt.epoch("us")
    if isinstance(kind, pl.Datetime | pl.Date):
        return _utc(column.cast(pl.Datetime("us")), zone).dt.epoch("us")
    return _from_epoch(column.cast(pl.Int64, strict=False))


def describe_clock_change(local: datetime, zone: ZoneInfo) -> str | None:
    """Return why a clock change makes a local time ambiguous or non-existent; None if none does."""
    offsets = {local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}
    if len(offsets) == 1:
        return None
    round_trip = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    reason = "stands for two times" if round_trip == local else "doesn't exist"
    return (
        f"{reason} in {zone.key}: the clocks were changed then; write times in UTC or with their offset, or name the "
        "--timezone in which they are written"
    )


def format_time(microseconds_: int) -> str:
    """Return microseconds since 1970 as a UTC date and time."""
    at = datetime.fromtimestamp(microseconds_ // 1_000_000, UTC)
    return f"{at:%Y-%m-%d %H:%M:%S}" if microseconds_ % 60_000_000 else f"{at:%Y-%m-%d %H:%M}"


def _integers(column: pl.Expr, sample: str) -> pl.Expr:
    """Return whole numbers, also those that were written as floats, such as 1522800000.0."""
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
    """Return local times of `zone` as UTC; null for those that a clock change makes ambiguous or non-existent."""
    if zone.key == "UTC":
        return times
    local = times.dt.replace_time_zone(zone.key, ambiguous="null", non_existent="null")
    return local.dt.convert_time_zone("UTC")


def _compact_pattern(sample: str) -> str:
    clock = sample.partition(" ")[2]
    return "%Y%m%d" + {0: "", 4: " %H%M", 5: " %H:%M", 6: " %H%M%S", 8: " %H:%M:%S"}[len(clock)]


def _pattern(day: str, middle: str | None, seconds: str | None, fraction: str | None, offset: str | None) -> str:
    pattern = day
    if middle:
        pattern += f"{middle}%H:%M"
        pattern += ":%S" if seconds else ""
        pattern += "%.f" if fraction else ""
    if offset is None:
        return pattern
    space, word = " " if offset.startswith(" ") else "", re.sub(r"[^A-Z]", "", offset)
    return pattern + space + word + ("%:z" if offset[-1].isdigit() else "")
