"""How a file writes the times at which its candles open."""

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
    is_unclear: bool = False

    @property
    def says_zone(self) -> bool:
        """Whether each time tells its own offset from UTC."""
        return self.pattern.endswith(("Z", "UTC", "GMT", "%:z"))

    @property
    def is_day(self) -> bool:
        """Whether the times are days without an hour."""
        return self.writing is Writing.TEXT and "%H" not in self.pattern

    @property
    def counts_from_midnight(self) -> bool:
        """Whether times are milliseconds of a day that the file's name tells."""
        return self.writing is Writing.MIDNIGHT

    def explain(self, text: str) -> str:
        """Return what is wrong with a time that can't be read, with what would be right."""
        if self.writing is Writing.TEXT and not self.says_zone:
            read = pl.select(_from_text(pl.lit(text), self.pattern)).item()
            change = None if read is None else clock_change(read, self.zone)
            if change is not None:
                return f"{text[:60]!r} {change}"
        right = f"{self.writing.value} like {self.sample}" if self.writing is Writing.TEXT else self.writing.value
        return f"{text[:60]!r} is no time as this file writes it: {right}"


def time_form(
    samples: Sequence[str], zone: ZoneInfo, midnight: datetime | None = None, *, can_be_of_day: bool
) -> TimeForm | None:
    """Return how the first of `samples`, the first times of a file, is written; None where it is no time.

    `can_be_of_day` allows milliseconds since midnight; then `midnight` says of which day, as the file's name told it.
    Eight digits are a date unless they end in 000, as no date does and every candle's milliseconds do. Of 01/02/2024
    the other samples may tell which is the day; where they don't, the form is unclear.
    """
    sample = samples[0]
    if _COMPACT.fullmatch(sample) and not (sample.isdigit() and sample.endswith("000")):
        return TimeForm(Writing.TEXT, zone, _compact_pattern(sample), sample=sample)
    if _EPOCH.fullmatch(sample):
        if can_be_of_day and float(sample) < DAY_MS:
            return TimeForm(Writing.MIDNIGHT, zone, midnight=midnight)
        return TimeForm(Writing.EPOCH, zone, sample=sample)
    return _dated(samples, zone)


def _dated(samples: Sequence[str], zone: ZoneInfo) -> TimeForm | None:
    if written := _DATE.fullmatch(samples[0]):
        dash, *rest = written.groups()[1:]
        return TimeForm(Writing.TEXT, zone, _pattern(f"%Y{dash}%m{dash}%d", *rest), sample=samples[0])
    written = _DAY_OR_MONTH.fullmatch(samples[0])
    if written is None:
        return None
    _, dash, _, *rest = written.groups()
    days = {_day_first(dash, each) for each in samples} - {None}
    if len(days) != 1:
        return TimeForm(Writing.TEXT, zone, is_unclear=True, sample=samples[0])
    day = f"%d{dash}%m{dash}%Y" if days.pop() else f"%m{dash}%d{dash}%Y"
    return TimeForm(Writing.TEXT, zone, _pattern(day, *rest), sample=samples[0])


def is_clock(text: str) -> bool:
    """Tell whether a field is a time of the day, as it stands beside a column of days."""
    return bool(_CLOCK_ALONE.fullmatch(text))


def _day_first(dash: str, text: str) -> bool | None:
    """Tell whether a date such as 31/01/2024 begins with its day; None where it doesn't show. With dots it does."""
    written = _DAY_OR_MONTH.fullmatch(text)
    if written is None:
        return None
    first, second = int(written[1]), int(written[3])
    if dash == "." or first > _LAST_MONTH:
        return True
    return False if second > _LAST_MONTH else None


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


def clock_change(local: datetime, zone: ZoneInfo) -> str | None:
    """Return why a time of a zone is none or two, where the clock's change made it so."""
    offsets = {local.replace(tzinfo=zone, fold=fold).utcoffset() for fold in (0, 1)}
    if len(offsets) == 1:
        return None
    back = local.replace(tzinfo=zone).astimezone(UTC).astimezone(zone).replace(tzinfo=None)
    what = "stands for two times" if back == local else "doesn't exist"
    return (
        f"{what} in {zone.key}: the clocks were changed then; write times in UTC or with their offset, or name the "
        "--timezone in which they are written"
    )


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
