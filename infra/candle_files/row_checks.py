"""Checks rows of candles: by column first, then one by one for the rows that fail."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import polars as pl

from domain.core.money import MAX_DIGITS
from domain.model.markets import Timeframe
from infra.candle_files.line_reader import Numbers
from infra.candle_files.timestamps import format_time

NUMBERS = ("open", "high", "low", "close", "volume")
PRICES = NUMBERS[:4]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_NUMBER = MAX_DIGITS + 2
_LARGEST, _SMALLEST = 1e38, 1e-38
_EXACT_FLOAT_DIGITS = 15

_UNREADABLE_TIME, _OFF_GRID, _FUTURE, _TOO_OLD = "time", "grid", "future", "old"
_NOT_A_NUMBER, _TOO_LONG, _NOT_POSITIVE, _NEGATIVE, _RANGE = "number:", "long:", "positive:", "negative", "range"


@dataclass(frozen=True, slots=True)
class RowRules:
    """The rules for rows: `end` is when the newest candle that has closed ended, in microseconds since 1970."""

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


def find_malformed(rows: pl.DataFrame, rules: RowRules) -> Iterator[tuple[int, str]]:
    """Yield the index and the error message of every malformed row.

    `rows` has the columns `at` (microseconds since 1970 or null), `time` as it was written, and `NUMBERS` as text.
    """
    suspect = rows.with_row_index("row").filter(_is_suspect(rows, rules))
    for row in suspect.with_columns(_verdict(rules).alias("verdict")).iter_rows(named=True):
        if row["verdict"] is not None:
            yield row["row"], _describe(row["verdict"], row, rules)
        elif not _is_consistent(row):
            yield row["row"], _describe(_RANGE, row, rules)


def find_duplicates(buckets: Numbers, lines: Numbers, first_lines: Numbers) -> list[tuple[int, int]]:
    """Record the line of each row by its bucket of time, and return the duplicates.

    `first_lines` has an element for each bucket: its line, or 0. A duplicate is its index among these rows, and the
    line that came first.
    """
    unseen = first_lines[buckets] == 0
    # Of several rows in one bucket the first one's line stays, since it is written last.
    first_lines[buckets[unseen][::-1]] = lines[unseen][::-1]
    seen_at = first_lines[buckets]
    return [(int(index), int(seen_at[index])) for index in np.flatnonzero(seen_at != lines)]


def _is_suspect(rows: pl.DataFrame, rules: RowRules) -> pl.Series:
    """Return which rows to check one by one: all that have an error, and those that floats can't decide.

    What is no number becomes null, and polars sorts NaN above all numbers, so every comparison with them fails.
    """
    at, value = pl.col("at"), {name: pl.col(f"{name}_value") for name in NUMBERS}
    sizes = [pl.col(name).str.len_bytes() for name in NUMBERS]
    pairs = [("low", "open"), ("low", "close"), ("open", "high"), ("close", "high")]
    undecided = [(value[first] == value[second]) & (pl.col(first) != pl.col(second)) for first, second in pairs]
    is_valid = (
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
    return rows.with_columns(*values).select(~is_valid.fill_null(value=False)).to_series()


def _verdict(rules: RowRules) -> pl.Expr:
    """Return the first error of each row; null if it has none."""
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


def _is_consistent(row: dict[str, str]) -> bool:
    opened, high, low, closed = (Decimal(row[name]) for name in PRICES)
    return low <= min(opened, closed) and max(opened, closed) <= high


def _describe(verdict: str, row: dict[str, str], rules: RowRules) -> str:
    """Return the error message, with the value and with what would be right."""
    kind, colon, name = verdict.partition(":")
    if colon:
        return _number_error(kind + colon, name, (row[name] or "")[:60])
    if kind == _UNREADABLE_TIME:
        return rules.explain_time(row["time"])
    if kind == _NEGATIVE:
        return f"volume is {row['volume']}, and can't be below 0"
    return _range_error(row) if kind == _RANGE else _time_error(kind, format_time(int(row["at"])), rules)


def _number_error(kind: str, name: str, text: str) -> str:
    if kind == _TOO_LONG:
        return f"{name} is {text!r}; a number may have {MAX_DIGITS} digits"
    if kind == _NOT_POSITIVE:
        return f"{name} is {text}, and a price is above 0"
    return f"{name} is {text!r}, which is no number such as 7424.91" if text else f"{name} is missing"


def _time_error(kind: str, opened: str, rules: RowRules) -> str:
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
