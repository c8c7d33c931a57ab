"""Finds the columns of a file without a header; a file that can be read in two ways is refused, never guessed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from infra.candle_files.columns import FIELDS, ColumnPositions
from infra.candle_files.errors import UnusableFileError
from infra.candle_files.numerals import number_of

_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?")
_BINANCE_COLUMNS = 12
_WITH_VOLUME, _WITH_ONE_MORE = 5, 6
_NEAR_CLOSE = (Decimal("0.01"), Decimal("1.5"))
"""Bounds of adjusted close divided by close; a column outside of them in any row is no adjusted close."""

Row = Sequence[Decimal]


@dataclass(frozen=True, slots=True)
class _PriceColumns:
    """A column order used by some source: the positions of open, high, low and close among the prices."""

    names: str
    positions: tuple[int, int, int, int]


_USUAL = _PriceColumns("open, high, low, close", (0, 1, 2, 3))
_OTHERS = (_PriceColumns("low, high, open, close", (2, 1, 0, 3)), _PriceColumns("open, close, high, low", (0, 2, 3, 1)))
"""The orders of Coinbase and of Bitfinex."""


def detect_columns(source: str, rows: Sequence[Sequence[str]]) -> ColumnPositions:
    """Return the positions of the fields; raises `UnusableFileError` if the rows can be read in two ways."""
    width = len(rows[0])
    times = 2 if _CLOCK.fullmatch(rows[0][1]) else 1
    numbers = [[number_of(text) for text in row[times:]] for row in rows]
    complete = [[number for number in row if number is not None] for row in numbers if None not in row]
    volume = _volume(source, width, times, complete)
    order = _order(source, times, volume, complete)
    return ColumnPositions(tuple(range(times)), tuple(times + position for position in order.positions), volume)


def _volume(source: str, width: int, times: int, rows: Sequence[Row]) -> int:
    """Return the position of the volume: the column after the prices, unless the next one may be meant as well."""
    after = width - times
    if after == _WITH_VOLUME or (width, times) == (_BINANCE_COLUMNS, 1):
        return times + 4
    if after == _WITH_ONE_MORE and not all(_may_be_adjusted(row) for row in rows):
        return times + 4
    shown = f"time{', clock' * (times - 1)}, open, high, low, close"
    if after == _WITH_ONE_MORE:
        raise UnusableFileError(
            source,
            f"it has {width} columns and no header, and can be read as {shown}, volume and one more, or as {shown}, "
            f"adjusted close, volume. Say which: {_option(times, _USUAL, times + 4)} or "
            f"{_option(times, _USUAL, times + 5)}",
        )
    raise UnusableFileError(
        source,
        f"it has {width} columns and no header, so nobody can tell what they are. Say it, as in "
        f"{_option(times, next(iter(_matching_orders(rows)), _USUAL), times + 4 if after >= _WITH_VOLUME else None)}",
    )


def _may_be_adjusted(row: Row) -> bool:
    """Return whether the column after the close may be Yahoo's adjusted close: a part of the close, not a volume."""
    close, following = row[3], row[4]
    return close * _NEAR_CLOSE[0] <= following <= close * _NEAR_CLOSE[1]


def _order(source: str, times: int, volume: int, rows: Sequence[Row]) -> _PriceColumns:
    matching = sum(_is_consistent(row, _USUAL) for row in rows)
    if not rows or matching * 2 > len(rows):
        return _USUAL  # a row that doesn't fit is reported as malformed later
    others = _matching_orders(rows)
    hints = [f"{order.names} with {_option(times, order, volume)}" for order in others]
    readings = f"They fit as {' or as '.join(hints)}"
    hint = readings if others else f"Say which is what: {_option(times, _USUAL, volume)}"
    raise UnusableFileError(source, f"it has no header, and its columns don't fit as open, high, low, close. {hint}")


def _matching_orders(rows: Sequence[Row]) -> list[_PriceColumns]:
    """Return the column orders in which low and high enclose open and close in every row."""
    return [order for order in (_USUAL, *_OTHERS) if all(_is_consistent(row, order) for row in rows)]


def _is_consistent(row: Row, order: _PriceColumns) -> bool:
    opened, high, low, close = (row[position] for position in order.positions)
    return low <= min(opened, close) and max(opened, close) <= high


def _option(times: int, order: _PriceColumns, volume: int | None) -> str:
    """Return the `--columns` option for a column order; columns count from 1."""
    time = "+".join(str(number) for number in range(1, times + 1))
    prices = [str(times + position + 1) for position in order.positions]
    columns = [time, *prices, "none" if volume is None else str(volume + 1)]
    return f"--columns {','.join(f'{name}={number}' for name, number in zip(FIELDS, columns, strict=True))}"
