"""Which stretches of time archived candles cover, and their series as arrays."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

_EXACT: Final = 2**53
"""Whole numbers up to this one are exact as floats."""

Stretch = tuple[datetime, datetime]


def without_covered(gaps: Sequence[Stretch], frames: Sequence[pl.DataFrame], duration: timedelta) -> list[Stretch]:
    """Return what is left of the gaps between stored candles if archived ones fill them; all in the order of time.

    Both are gone through once: a market that trades rarely has a gap every few minutes.
    """
    left: list[Stretch] = []
    covered = _joined(sorted(stretch for frame in frames for stretch in _stretches(frame, duration)))
    place = 0
    for start, end in gaps:
        at = start
        while place < len(covered) and covered[place][1] <= at:
            place += 1
        while place < len(covered) and covered[place][0] < end:
            first, until = covered[place]
            if first > at:
                left.append((at, first))
            at = until
            if until >= end:
                break  # it may cover the next gap as well
            place += 1
        if at < end:
            left.append((at, end))
    return left


def _joined(stretches: Sequence[Stretch]) -> list[Stretch]:
    """Return sorted stretches without those that touch or overlap: each begins after the end of the one before."""
    joined: list[Stretch] = []
    for first, until in stretches:
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], until))
        else:
            joined.append((first, until))
    return joined


def milliseconds(frame: pl.DataFrame) -> npt.NDArray[np.int64]:
    """Return the opening times."""
    return frame["open_time"].dt.epoch("ms").to_numpy().astype(np.int64)


def floats(column: pl.Series) -> npt.NDArray[np.float64]:
    """Return exact decimals as the nearest floats, as PostgreSQL rounds them too."""
    kind = column.dtype
    assert isinstance(kind, pl.Decimal)
    digits = column.to_physical()
    if digits.abs().gt(_EXACT).any() or kind.scale > 22:  # noqa: PLR2004  # 10**22 is the last exact power
        return column.cast(pl.String).cast(pl.Float64).to_numpy()
    # The quotient of two exact floats is the nearest one to the exact quotient (IEEE 754, 4.3).
    return np.asarray(digits.cast(pl.Int64).to_numpy().astype(np.float64) / float(10**kind.scale))


def _stretches(frame: pl.DataFrame, duration: timedelta) -> list[Stretch]:
    """Return the stretches that candles cover without a gap."""
    times = frame["open_time"]
    breaks = (times.diff() != duration).fill_null(value=True)
    starts = breaks.arg_true().to_list()
    ends = [*(start - 1 for start in starts[1:]), len(times) - 1]
    return [
        (times[start].astimezone(UTC), times[end].astimezone(UTC) + duration)
        for start, end in zip(starts, ends, strict=True)
    ]
