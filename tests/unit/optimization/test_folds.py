from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.errors import InputError
from domain.model.markets import Timeframe
from domain.optimization.folds import IN_SAMPLE_RATIO, MAXIMUM_FOLDS, walk_forward_folds

START = datetime(2024, 1, 1, tzinfo=UTC)


def test_one_fold_is_fitted_on_three_quarters_and_judged_by_the_last() -> None:
    (fold,) = walk_forward_folds(START, START + timedelta(days=40), Timeframe.H1, 1)
    assert (fold.start, fold.split, fold.end) == (START, START + timedelta(days=30), START + timedelta(days=40))


def test_four_folds_roll_over_the_period() -> None:
    folds = walk_forward_folds(START, START + timedelta(days=70), Timeframe.D1, 4)
    days = [((fold.start - START).days, (fold.split - START).days, (fold.end - START).days) for fold in folds]
    assert days == [(0, 30, 40), (10, 40, 50), (20, 50, 60), (30, 60, 70)]


@given(
    st.integers(0, 3_000),
    st.integers(1, 30_000),
    st.sampled_from([Timeframe.M1, Timeframe.M5, Timeframe.H4, Timeframe.D1]),
    st.integers(1, MAXIMUM_FOLDS),
)
def test_each_part_is_judged_once_and_never_before_it_is_fitted(
    shift: int, minutes: int, timeframe: Timeframe, count: int
) -> None:
    start = START + timedelta(minutes=shift)
    end = start + timedelta(minutes=minutes) * (timeframe.seconds // 60)
    try:
        folds = walk_forward_folds(start, end, timeframe, count)
    except InputError:
        assert minutes < 10 * (IN_SAMPLE_RATIO + count) + 2
        return
    assert len(folds) == count
    assert start <= folds[0].start < start + timeframe.duration
    assert end - timeframe.duration <= folds[-1].end <= end + timeframe.duration
    for fold in folds:
        assert fold.start < fold.split < fold.end
        assert all(timeframe.open_time(at) == at for at in (fold.start, fold.split, fold.end))
        assert fold.split - fold.start >= IN_SAMPLE_RATIO * (fold.end - fold.split)
    for before, after in pairwise(folds):
        assert after.split == before.end  # judged without a gap
        assert after.end - after.start == before.end - before.start


@pytest.mark.parametrize("count", [0, -1, MAXIMUM_FOLDS + 1])
def test_a_count_out_of_range_is_named(count: int) -> None:
    with pytest.raises(InputError, match=f"walkForwardFolds is {count}; it must be between 1 and {MAXIMUM_FOLDS}"):
        walk_forward_folds(START, START + timedelta(days=400), Timeframe.H1, count)


def test_a_period_that_is_too_short_says_how_long_it_must_be() -> None:
    with pytest.raises(InputError, match=r"has 79 candles of 1h; 5 walk-forward folds need 80 at least"):
        walk_forward_folds(START, START + timedelta(hours=79), Timeframe.H1, 5)


def test_a_period_that_ends_before_it_begins_has_no_candles() -> None:
    with pytest.raises(InputError, match="has 0 candles"):
        walk_forward_folds(START, START - timedelta(hours=79), Timeframe.H1, 1)
