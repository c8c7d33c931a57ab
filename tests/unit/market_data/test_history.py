"""Which candles a page lacks, so that they can be fetched."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.pagination import TimeKeysetPage
from domain.market_data.backfill import MAXIMUM_CANDLES
from domain.market_data.history import expected_range
from domain.model.markets import Timeframe

UNTIL = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HORIZON = UNTIL - MAXIMUM_CANDLES * MINUTE


def ago(minutes: float) -> datetime:
    return UNTIL - minutes * MINUTE


@pytest.mark.parametrize(
    ("page", "oldest", "start", "end"),
    [
        (TimeKeysetPage(5, backwards=True), None, ago(5), UNTIL),
        (TimeKeysetPage(5, before=ago(10), backwards=True), None, ago(15), ago(10)),
        (TimeKeysetPage(5, start=ago(3), backwards=True), None, ago(3), UNTIL),
        (TimeKeysetPage(5, end=ago(9.5), backwards=True), None, ago(14), ago(9)),
        (TimeKeysetPage(5), None, ago(5), UNTIL),
        (TimeKeysetPage(5), ago(40), ago(40), ago(35)),
        (TimeKeysetPage(5, start=ago(39.5)), None, ago(39), ago(34)),
        (TimeKeysetPage(5, after=ago(40)), ago(39), ago(39), ago(34)),
        (TimeKeysetPage(5, start=ago(3), end=ago(1)), None, ago(3), ago(1)),
        (TimeKeysetPage(20_000, backwards=True), None, HORIZON, UNTIL),
        (TimeKeysetPage(5, start=ago(20_000)), None, HORIZON, HORIZON + 5 * MINUTE),
    ],
)
def test_a_page_should_hold_every_candle_of_its_stretch(
    page: TimeKeysetPage, oldest: datetime | None, start: datetime, end: datetime
) -> None:
    assert expected_range(Timeframe.M1, page, oldest, UNTIL) == (start, end)


@pytest.mark.parametrize(
    ("page", "oldest"),
    [
        (TimeKeysetPage(5, start=ago(20_000)), ago(20_000)),  # imported; what follows it may be long ago
        (TimeKeysetPage(5, end=ago(20_000), backwards=True), None),
        (TimeKeysetPage(5, start=ago(-5)), None),
        (TimeKeysetPage(5, after=ago(1)), None),
        (TimeKeysetPage(0, backwards=True), None),
    ],
)
def test_nothing_is_fetched_of_the_future_or_of_long_ago(page: TimeKeysetPage, oldest: datetime | None) -> None:
    start, end = expected_range(Timeframe.M1, page, oldest, UNTIL)
    assert start == end


MOMENTS = st.none() | st.datetimes(timezones=st.just(UTC))


@given(st.sampled_from(Timeframe), st.integers(0, 30_000), MOMENTS, MOMENTS, MOMENTS, MOMENTS, st.booleans(), MOMENTS)
def test_no_moment_of_all_time_is_too_much(
    timeframe: Timeframe,
    limit: int,
    start: datetime | None,
    end: datetime | None,
    after: datetime | None,
    before: datetime | None,
    backwards: bool,
    oldest: datetime | None,
) -> None:
    until = timeframe.open_time(UNTIL)
    first, last = expected_range(timeframe, TimeKeysetPage(limit, start, end, after, before, backwards), oldest, until)
    assert first <= last
    assert last == first or until - MAXIMUM_CANDLES * timeframe.duration <= first < last <= until
