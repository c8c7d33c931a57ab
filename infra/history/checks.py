"""What must hold of every row of candles, checked by column: only what fails is looked at by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl

from domain.markets.types import Timeframe
from domain.money import MAX_DIGITS
from infra.history.lines import Numbers
from infra.history.times import shown

NUMBERS = ("open", "high", "low", "close", "volume")
PRICES = NUMBERS[:4]
_LONGEST_NUMBER = MAX_DIGITS + 2
_LARGEST, _SMALLEST = 1e38, 1e-38
_EXACT_FLOAT_DIGITS = 15

_UNREADABLE_TIME, _OFF_GRID, _FUTURE = "time", "grid", "future"
_NOT_A_NUMBER, _TOO_LONG, _NOT_POSITIVE, _NEGATIVE, _RANGE = "number:", "long:", "positive:", "negative", "range"


@dataclass(frozen=True, slots=True)
class Rules:
    """What rows are held to: `end` is when the newest candle that has closed ended, in microseconds since 1970."""

    timeframe: Timeframe
    end: int
    time_right: str

    @property
    def step(self) -> int:
        """The timeframe's length in microseconds."""
        return self.timeframe.seconds * 1_000_000


def malformed(rows: pl.DataFrame, rules: Rules) -> Iterator[tuple[int, str]]:
    """Yield the place and the mistake of every malformed row.

    `rows` has the columns `at` (microseconds since 1970 or null), `time` as it was written, and `NUMBERS` as text.
    """
    found = rows.select(_verdict(rules).alias("verdict"), *_close_calls()).with_row_index("row")
    wrong = found.filter(pl.col("verdict").is_not_null() | pl.col("close_call"))
    for index, verdict, _ in wrong.iter_rows():
        row = rows.row(index, named=True)
        if verdict is not None:
            yield index, _explained(verdict, row, rules)
        elif not _spans(row):
            yield index, _explained(_RANGE, row, rules)


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


def _verdict(rules: Rules) -> pl.Expr:
    """Return what is wrong with each row, the first that is; null where nothing is."""
    at = pl.col("at")
    verdict = (
        pl.when(at.is_null())
        .then(pl.lit(_UNREADABLE_TIME))
        .when(at % rules.step != 0)
        .then(pl.lit(_OFF_GRID))
        .when(at > rules.end)
        .then(pl.lit(_FUTURE))
    )
    value = {name: pl.col(name).cast(pl.Float64, strict=False) for name in NUMBERS}
    for name in NUMBERS:
        verdict = verdict.when(~value[name].is_finite().fill_null(value=False)).then(pl.lit(_NOT_A_NUMBER + name))
        verdict = verdict.when(_too_long(name, value[name])).then(pl.lit(_TOO_LONG + name))
    for name in PRICES:
        verdict = verdict.when(value[name] <= 0).then(pl.lit(_NOT_POSITIVE + name))
    outside = (value["high"] < pl.max_horizontal(value["open"], value["close"], value["low"])) | (
        value["low"] > pl.min_horizontal(value["open"], value["close"])
    )
    return verdict.when(value["volume"] < 0).then(pl.lit(_NEGATIVE)).when(outside).then(pl.lit(_RANGE)).otherwise(None)


def _too_long(name: str, value: pl.Expr) -> pl.Expr:
    size = value.abs()
    return (pl.col(name).str.len_bytes() > _LONGEST_NUMBER) | (size >= _LARGEST) | ((size > 0) & (size < _SMALLEST))


def _close_calls() -> list[pl.Expr]:
    """Return where prices have more digits than floating point tells apart: those rows are compared as decimals."""
    long = pl.any_horizontal(pl.col(name).str.len_bytes() > _EXACT_FLOAT_DIGITS + 1 for name in PRICES)
    return [long.alias("close_call")]


def _spans(row: dict[str, str]) -> bool:
    opened, high, low, closed = (Decimal(row[name]) for name in PRICES)
    return low <= min(opened, closed) and max(opened, closed) <= high


def _explained(verdict: str, row: dict[str, str], rules: Rules) -> str:
    """Return what is wrong in words, with the value and with what would be right."""
    kind, colon, name = verdict.partition(":")
    if colon:
        return _number_error(kind + colon, name, (row[name] or "")[:60])
    if kind == _UNREADABLE_TIME:
        return f"{row['time'][:60]!r} is no time as this file writes it: {rules.time_right}"
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
    candle = f"{rules.timeframe.venue_name} candle"
    return f"it opens at {opened} UTC, when no {candle} does; --timeframe or --timezone may be another"


def _range_error(row: dict[str, str]) -> str:
    opened, high, low = (Decimal(row[name]) for name in PRICES[:3])
    if high < low:
        return f"high {row['high']} is below low {row['low']}"
    outside = "close" if low <= opened <= high else "open"
    return f"{outside} {row[outside]} is outside low {row['low']} to high {row['high']}"
