"""The axes of pictures have a few round values and times, whatever is drawn."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infra.report_files.axes import MOST_TIMES, TimeAxis, linear_axis, price_axis, written

START = int(datetime(2016, 7, 1, tzinfo=UTC).timestamp()) * 1000


@given(low=st.floats(1e-8, 1e9), factor=st.floats(1, 1e6))
def test_prices_have_few_round_values_within_the_axis(low: float, factor: float) -> None:
    axis = price_axis(10, 300, low, low * factor)
    ticks = axis.ticks()
    assert 2 <= len(ticks) <= 12
    assert all(axis.low * (1 - 1e-9) <= tick <= axis.high * (1 + 1e-9) for tick in ticks)
    assert all(10 <= axis.y(tick) <= 310 for tick in ticks)
    texts = [written(tick, axis) for tick in ticks]
    assert len(set(texts)) == len(ticks)
    assert [float(text.replace(",", "")) for text in texts] == pytest.approx(ticks)


@given(low=st.floats(-1e9, 1e9), span=st.floats(0, 1e9))
def test_a_linear_axis_holds_its_values_also_if_all_are_equal(low: float, span: float) -> None:
    axis = linear_axis(0, 100, low, low + span)
    assert 0 <= axis.y(low + span) <= axis.y(low) <= 100
    assert axis.ticks()


@pytest.mark.parametrize(
    ("length", "shown"),
    [
        (timedelta(hours=5), ["1 Jul", "01:00", "02:00", "03:00", "04:00", "05:00"]),
        (timedelta(days=3), ["1 Jul", "12:00", "2 Jul", "12:00", "3 Jul", "12:00", "4 Jul"]),
        (timedelta(days=400), ["Jul 2016", "Oct 2016", "2017", "Apr 2017", "Jul 2017"]),
        (timedelta(days=4_000), ["2018", "2020", "2022", "2024", "2026"]),
    ],
)
def test_times_are_the_beginnings_of_hours_days_months_or_years(length: timedelta, shown: list[str]) -> None:
    end = START + length // timedelta(milliseconds=1)
    assert [text for _, text in TimeAxis(0, 900, START, end).ticks()] == shown


@given(start=st.integers(0, 4_000_000_000_000), length=st.integers(60_000, 1_500_000_000_000))
def test_times_are_few_and_on_the_axis(start: int, length: int) -> None:
    axis = TimeAxis(50, 950, start, start + length)
    ticks = axis.ticks()
    assert len(ticks) <= MOST_TIMES + 2
    assert all(50 <= axis.x(at) <= 950 for at, _ in ticks)


def test_a_wrong_price_is_drawn_at_the_end_of_the_axis() -> None:
    axis = price_axis(10, 300, 500, 20_000)
    assert axis.y(0.06) == 310
    assert axis.y(1e9) == 10
