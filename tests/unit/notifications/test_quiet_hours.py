"""Quiet hours follow the clock on the user's wall, also when it is put forward or back."""

from datetime import UTC, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.model.notifications import QuietHours
from domain.notifications.quiet_hours import quiet_end

NIGHT = QuietHours(time(22), time(7))
VIENNA = "Europe/Vienna"


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-01-10T20:59:00+00:00", None),  # 21:59 in Vienna
        ("2026-01-10T21:00:00+00:00", "2026-01-11T06:00:00+00:00"),
        ("2026-01-11T05:59:59+00:00", "2026-01-11T06:00:00+00:00"),
        ("2026-01-11T06:00:00+00:00", None),
        ("2026-07-10T19:59:59+00:00", None),  # in summer an hour earlier
        ("2026-07-10T20:00:00+00:00", "2026-07-11T05:00:00+00:00"),
        ("2026-03-28T23:00:00+00:00", "2026-03-29T05:00:00+00:00"),  # the night in which an hour is skipped
        ("2026-10-24T21:00:00+00:00", "2026-10-25T06:00:00+00:00"),  # the night that has one twice
    ],
)
def test_a_night_is_quiet_from_ten_to_seven(now: str, end: str | None) -> None:
    expected = None if end is None else datetime.fromisoformat(end)
    assert quiet_end(NIGHT, VIENNA, datetime.fromisoformat(now)) == expected


def test_hours_within_a_day_are_quiet() -> None:
    lunch = QuietHours(time(12), time(13))
    noon = datetime(2026, 1, 10, 12, 30, tzinfo=UTC)
    assert quiet_end(lunch, "UTC", noon) == datetime(2026, 1, 10, 13, tzinfo=UTC)
    assert quiet_end(lunch, "Asia/Tokyo", noon) is None


def test_a_zone_that_the_machine_does_not_know_is_taken_for_utc() -> None:
    assert quiet_end(NIGHT, "Mars/Olympus", datetime(2026, 1, 10, 23, tzinfo=UTC)) is not None


@given(
    minutes=st.tuples(st.integers(0, 1_439), st.integers(0, 1_439)),
    seconds=st.integers(0, 366 * 86_400),
    zone=st.sampled_from([VIENNA, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
)
def test_quiet_hours_end_in_the_future_and_within_a_day_and_are_over_then(
    minutes: tuple[int, int], seconds: int, zone: str
) -> None:
    start, end = (time(minute // 60, minute % 60) for minute in minutes)
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    until = quiet_end(QuietHours(start, end), zone, now)
    if until is None:
        return
    assert now < until <= now + timedelta(hours=25)
    if zone in {"UTC", "Asia/Kathmandu"}:  # elsewhere a skipped end may come after the next beginning
        assert quiet_end(QuietHours(start, end), zone, until) is None
