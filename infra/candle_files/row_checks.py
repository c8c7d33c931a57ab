"""What must hold of every row of candles, checked by column: only what fails is looked at by itself."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import polars as pl

from domain.core.money import MAX_DIGITS
from domain.model.markets import Timeframe
from infra.candle_files.line_reader import Numbers
from infra.candle_files.timestamps import shown

NUMBERS = ("open", "high", "low", "close", "volume")
PRICES = NUMBERS[:4]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_NUMBER = MAX_DIGITS + 2
_LARGEST, _SMALLEST = 1e38, 1e-38
_EXACT_FLOAT_DIGITS = 15

_UNREADABLE_TIME, _OFF_GRID, _FUTURE, _TOO_OLD = "time", "grid", "future", "old"
_NOT_A_NUMBER, _TOO_LONG, _NOT_POSITIVE, _NEGATIVE, _RANGE = "number:", "long:", "positive:", "negative", "range"


@dataclass(frozen=True, slots=True)
class Rules:
    """What rows are held to: `end` is when the newest candle that has closed ended, in microseconds since 1970."""

    timeframe: Timeframe
    end: int
    explain_time: Callable[[str], str]

    @property
    def step(self) -> int:
        """The timeframe's length in microseconds."""
        return self.timeframe.seconds * 1_000_000

    @property
    def first(self) -> int:
        """When the first candle since 1970 opens, in microseconds: a week's only on its first Monday."""
        return first_opening(self.timeframe)


def first_opening(timeframe: Timeframe) -> int:
    """Return when the first candle since 1970 opens, in microseconds."""
    opened = int(timeframe.open_time(_EPOCH).timestamp())
    return opened % timeframe.seconds * 1_000_000


def malformed(rows: pl.DataFrame, rules: Rules) -> Iterator[tuple[int, str]]:
    """Yield the place and the mistake of every malformed row.

    `rows` has the columns `at` (microseconds since 1970 or null), `time` as it was written, and `NUMBERS` as text.
    """
    suspect = rows.with_row_index("row").filter(_is_suspect(rows, rules))
    for row in suspect.with_columns(_verdict(rules).alias("verdict")).iter_rows(named=True):
        if row["verdict"] is not None:
            yield row["row"], _explained(row["verdict"], row, rules)
        elif not _spans(row):
            yield row["row"], _explained(_RANGE, row, rules)


def repeated(buckets: Numbers, lines: Numbers, first_lines: Numbers) -> list[tuple[int, int]]:
    """Note the lines of rows by the buckets of time that they are for.

    `first_lines` has an element for each bucket: its line, or 0. Returns the place among these rows of each whose
    bucket was taken before, and the line that had taken it.
    """
    fresh = first_lines[buckets] == 0
    # Of equal ones the first one's line stays, for it is written last.
    first_lines[buckets[fresh][::-1]] = lines[fresh][::-1]
    taken = first_lines[buckets]
    return [(int(index), int(taken[index])) for index in np.flatnonzero(taken != lines)]


def _is_suspect(rows: pl.DataFrame, rules: Rules) -> pl.Series:
    """Return which rows are to be looked at: all that anything is wrong with, and those that floats can't decide.

    What is no number is null, and a NaN is above all numbers to polars, so that each comparison fails of them.
    """
    at, value = pl.col("at"), {name: pl.col(f"{name}_value") for name in NUMBERS}
    sizes = [pl.col(name).str.len_bytes() for name in NUMBERS]
    pairs = [("low", "open"), ("low", "close"), ("open", "high"), ("close", "high")]
    undecided = [(value[one] == value[other]) & (pl.col(one) != pl.col(other)) for one, other in pairs]
    fine = (
        ((at - rules.first) % rules.step == 0)
        & at.is_between(0, rules.end)
        & (value["low"] > _SMALLEST)
        & (value["low"] <= value["open"])
        & (value["low"] <= value["close"])
        & (value["open"] <= value["high"])
        & (value["close"] <= value["high"])
        & (value["high"] < _LARGEST)
        & ((value["volume"] == 0) | ((value["volume"] > _SMALLEST) & (value["volume"] < _LARGEST)))
        & (pl.max_horizontal(sizes) <= _LONGEST_NUMBER)
        & ((pl.max_horizontal(sizes[:4]) <= _EXACT_FLOAT_DIGITS + 1) | ~pl.any_horizontal(undecided))
    )
    values = (pl.col(name).cast(pl.Float64, strict=False).alias(f"{name}_value") for name in NUMBERS)
    return rows.with_columns(*values).select(~fine.fill_null(value=False)).to_series()


def _verdict(rules: Rules) -> pl.Expr:
    """Return what is wrong with each row, the first that is; null where nothing is."""
    at = pl.col("at")
    verdict = (
        pl.when(at.is_null())
        .then(pl.lit(_UNREADABLE_TIME))
        .when((at - rules.first) % rules.step != 0)
        .then(pl.lit(_OFF_GRID))
        .when(at > rules.end)
        .then(pl.lit(_FUTURE))
        .when(at < 0)
        .then(pl.lit(_TOO_OLD))
    )
    value = {name: pl.col(name).cast(pl.Float64, strict=False) for name in NUMBERS}
    for name in NUMBERS:
        verdict = verdict.when(~value[name].is_finite().fill_null(value=False)).then(pl.lit(_NOT_A_NUMBER + name))
        verdict = verdict.when(_too_long(name, value[name])).then(pl.lit(_TOO_LONG + name))
    for name in PRICES:
        verdict = verdict.when(value[name] <= 0).then(pl.lit(_NOT_POSITIVE + name))
    return verdict.when(value["volume"] < 0).then(pl.lit(_NEGATIVE)).otherwise(None)


def _too_long(name: str, value: pl.Expr) -> pl.Expr:
    size = value.abs()
    return (pl.col(name).str.len_bytes() > _LONGEST_NUMBER) | (size >= _LARGEST) | ((size > 0) & (size <= _SMALLEST))


def _spans(row: dict[str, str]) -> bool:
    opened, high, low, closed = (Decimal(row[name]) for name in PRICES)
    return low <= min(opened, closed) and max(opened, closed) <= high


def _explained(verdict: str, row: dict[str, str], rules: Rules) -> str:
    """Return what is wrong in words, with the value and with what would be right."""
    kind, colon, name = verdict.partition(":")
    if colon:
        return _number_error(kind + colon, name, (row[name] or "")[:60])
    if kind == _UNREADABLE_TIME:
        return rules.explain_time(row["time"])
    if kind == _NEGATIVE:
        return f"volume is {row['volume']}, and can't be below 0"
    return _range_error(row) if kind == _RANGE else _time_error(kind, shown(int(row["at"])), rules)


def _number_error(kind: str, name: str, told: str) -> str:
    if kind == _TOO_LONG:
        return f"{name} is {told!r}; a number may have {MAX_DIGITS} digits"
    if kind == _NOT_POSITIVE:
        return f"{name} is {told}, and a price is above 0"
    return f"{name} is {told!r}, which is no number such as 7424.91" if told else f"{name} is missing"


def _time_error(kind: str, opened: str, rules: Rules) -> str:
    if kind == _FUTURE:
        return f"it opens at {opened} UTC, which is in the future; --timezone may be another"
    if kind == _TOO_OLD:
        return f"it opens at {opened} UTC; candles of markets since 1970 are stored"
    candle = f"{rules.timeframe.venue_name} candle"
    return f"it opens at {opened} UTC, when no {candle} does; --timeframe or --timezone may be another"


def _range_error(row: dict[str, str]) -> str:
    opened, high, low = (Decimal(row[name]) for name in PRICES[:3])
    if high < low:
        return f"high {row['high']} is below low {row['low']}"
    outside = "close" if low <= opened <= high else "open"
    return f"{outside} {row[outside]} is outside low {row['low']} to high {row['high']}"
