"""What the columns of a file without a header are: read where there is one way, never guessed between two."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from infra.candle_files.columns import FIELDS, Places
from infra.candle_files.errors import UnusableFileError
from infra.candle_files.numerals import number_of

_CLOCK = re.compile(r"\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?")
_BINANCE_COLUMNS = 12
_WITH_VOLUME, _WITH_ONE_MORE = 5, 6
_NEAR_CLOSE = (Decimal("0.01"), Decimal("1.5"))
"""An adjusted close is a part of the close; what lies outside of this in any row is none."""

Row = Sequence[Decimal]


@dataclass(frozen=True, slots=True)
class _Order:
    """An order of the four prices that some source writes them in: the places of open, high, low and close."""

    names: str
    places: tuple[int, int, int, int]


_USUAL = _Order("open, high, low, close", (0, 1, 2, 3))
_OTHERS = (_Order("low, high, open, close", (2, 1, 0, 3)), _Order("open, close, high, low", (0, 2, 3, 1)))
"""Coinbase's and Bitfinex's."""


def placed_columns(source: str, rows: Sequence[Sequence[str]]) -> Places:
    """Return where the fields are in rows without a header; raises `UnusableFileError` where there are two ways."""
    width = len(rows[0])
    times = 2 if _CLOCK.fullmatch(rows[0][1]) else 1
    numbers = [[number_of(text) for text in row[times:]] for row in rows]
    whole = [[each for each in row if each is not None] for row in numbers if None not in row]
    volume = _volume(source, width, times, whole)
    order = _order(source, times, volume, whole)
    return Places(tuple(range(times)), tuple(times + place for place in order.places), volume)


def _volume(source: str, width: int, times: int, rows: Sequence[Row]) -> int:
    """Return the place of the volume: the column after the prices, unless the one after it may be meant as well."""
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
        f"{_option(times, next(iter(_fitting(rows)), _USUAL), times + 4 if after >= _WITH_VOLUME else None)}",
    )


def _may_be_adjusted(row: Row) -> bool:
    """Tell whether the column after the close may be Yahoo's adjusted close: a part of the close, not a volume."""
    close, following = row[3], row[4]
    return close * _NEAR_CLOSE[0] <= following <= close * _NEAR_CLOSE[1]


def _order(source: str, times: int, volume: int, rows: Sequence[Row]) -> _Order:
    fitting = sum(_spans(row, _USUAL) for row in rows)
    if not rows or fitting * 2 > len(rows):
        return _USUAL  # then a row that doesn't fit is malformed, and told
    others = _fitting(rows)
    readings = [f"{order.names} with {_option(times, order, volume)}" for order in others]
    fit = f"They fit as {' or as '.join(readings)}"
    told = fit if others else f"Say which is what: {_option(times, _USUAL, volume)}"
    raise UnusableFileError(source, f"it has no header, and its columns don't fit as open, high, low, close. {told}")


def _fitting(rows: Sequence[Row]) -> list[_Order]:
    """Return the orders in which every row's prices fit."""
    return [order for order in (_USUAL, *_OTHERS) if all(_spans(row, order) for row in rows)]


def _spans(row: Row, order: _Order) -> bool:
    opened, high, low, close = (row[place] for place in order.places)
    return low <= min(opened, close) and max(opened, close) <= high


def _option(times: int, order: _Order, volume: int | None) -> str:
    """Return the option that says a reading; columns count from 1."""
    time = "+".join(str(number) for number in range(1, times + 1))
    prices = [str(times + place + 1) for place in order.places]
    told = [time, *prices, "none" if volume is None else str(volume + 1)]
    return f"--columns {','.join(f'{name}={number}' for name, number in zip(FIELDS, told, strict=True))}"
