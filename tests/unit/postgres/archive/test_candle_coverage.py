"""What archived candles cover, and their numbers as floats."""

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.postgres.archive.candle_coverage import floats, without_covered

START = datetime(2024, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


@given(stored=st.sets(st.integers(0, 30)), archived=st.lists(st.sets(st.integers(0, 30)), max_size=3))
def test_what_is_left_of_gaps_is_what_neither_has(stored: set[int], archived: list[set[int]]) -> None:
    frames = [_frame(hours) for hours in archived if hours]
    assert without_covered(_gaps(stored), frames, HOUR) == _gaps(stored.union(*archived))


def test_gaps_of_a_market_that_trades_rarely_are_compared_within_a_second() -> None:
    stored, archived = set(range(0, 60_000, 3)), set(range(1, 60_000, 3))
    gaps, frames = _gaps(stored, 60_000), [_frame(archived)]
    began = time.process_time()
    left = without_covered(gaps, frames, HOUR)
    assert time.process_time() - began < 1
    assert left == _gaps(stored | archived, 60_000)


@given(st.lists(st.decimals(-(10**15), 10**15, places=8), min_size=1))
def test_floats_are_the_nearest_ones(numbers: list[Decimal]) -> None:
    column = pl.Series(numbers, dtype=pl.Decimal(38, 8))
    assert floats(column).tolist() == [float(number) for number in numbers]


@pytest.mark.parametrize("scale", [0, 2, 23, 30])
def test_floats_of_any_scale_are_the_nearest_ones(scale: int) -> None:
    numbers = [Decimal(digits).scaleb(-scale) for digits in (0, 1, 3, 7, 123_456_789, 2**53 - 1)]
    assert floats(pl.Series(numbers, dtype=pl.Decimal(38, scale))).tolist() == [float(number) for number in numbers]


def _frame(hours: set[int]) -> pl.DataFrame:
    return pl.DataFrame({"open_time": [START + hour * HOUR for hour in sorted(hours)]})


def _gaps(present: set[int], hours: int = 31) -> list[tuple[datetime, datetime]]:
    """Return the gaps of so many hours."""
    edges = sorted({-1, *present, hours})
    return [
        (START + (before + 1) * HOUR, START + after * HOUR) for before, after in pairwise(edges) if after > before + 1
    ]
