"""Reports are due by the clock on the user's wall: each local day, week and month has one, whatever clocks do."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.model.report_schedules import Recurrence, ReportCadence, Weekday
from domain.reports.recurrence import ScheduledRun, latest_run, moved_run, next_run, runs_between

# Half hours, midnights that are skipped or come twice, a day that was skipped, and a zone with two changes in a month.
ZONES = [
    "UTC", "Europe/Vienna", "America/New_York", "America/St_Johns", "America/Sao_Paulo", "America/Havana",
    "America/Scoresbysund", "Africa/Casablanca", "Africa/Cairo", "Asia/Gaza", "Asia/Kathmandu", "Asia/Tehran",
    "Australia/Lord_Howe", "Antarctica/Troll", "Pacific/Apia", "Pacific/Kiritimati",
]  # fmt: skip
DAY = timedelta(days=1)

recurrences = st.one_of(
    st.builds(Recurrence, st.just(ReportCadence.DAILY), st.integers(0, 23)),
    st.builds(Recurrence, st.just(ReportCadence.WEEKLY), st.integers(0, 23), st.sampled_from(list(Weekday))),
    st.builds(Recurrence, st.just(ReportCadence.MONTHLY), st.integers(0, 23), st.none(), st.integers(1, 31)),
)
zones = st.sampled_from(ZONES).map(ZoneInfo)
moments = st.integers(0, 2_000_000_000).map(
    lambda seconds: datetime(1995, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)


def chain(recurrence: Recurrence, zone: ZoneInfo, after: datetime, count: int) -> list[ScheduledRun]:
    runs = [next_run(recurrence, zone, after)]
    while len(runs) < count:
        runs.append(next_run(recurrence, zone, runs[-1].at))
    return runs


@given(recurrences, zones, moments)
def test_the_periods_of_runs_follow_one_another_without_a_gap(
    recurrence: Recurrence, zone: ZoneInfo, after: datetime
) -> None:
    runs = chain(recurrence, zone, after, 15)
    assert runs[0].at > after
    for run, following in pairwise(runs):
        assert run.start < run.end == following.start
        assert run.at < following.at
    assert all(run.end <= run.at for run in runs), "a period is over when its report is made"
    assert len({run.key for run in runs}) == len(runs)


@given(recurrences, zones, moments)
def test_the_latest_run_is_the_one_before_the_next(recurrence: Recurrence, zone: ZoneInfo, at: datetime) -> None:
    latest, following = latest_run(recurrence, zone, at), next_run(recurrence, zone, at)
    assert latest.at <= at < following.at
    assert latest.end == following.start, "none lies between them"
    assert next_run(recurrence, zone, latest.at) == following
    assert latest_run(recurrence, zone, latest.at) == latest


@given(recurrences, zones, moments, st.integers(1, 30))
def test_runs_that_were_missed_are_counted(recurrence: Recurrence, zone: ZoneInfo, after: datetime, count: int) -> None:
    runs = chain(recurrence, zone, after, count)
    assert runs_between(recurrence, zone, runs[0].at, runs[-1].at) == count - 1


@given(recurrences, zones, zones, moments)
def test_a_run_that_moves_to_another_time_zone_is_of_the_same_period(
    recurrence: Recurrence, before: ZoneInfo, zone: ZoneInfo, after: datetime
) -> None:
    asked = next_run(recurrence, before, after)
    moved = moved_run(recurrence, before, zone, asked.at)
    assert moved_run(recurrence, before, before, asked.at) == asked
    assert abs(moved.at - asked.at) <= timedelta(hours=27) or moved.key > asked.key
    assert moved.key >= asked.key


@given(zones, st.dates(date(1995, 1, 1), date(2060, 1, 1)), st.integers(0, 23))
def test_a_daily_report_begins_with_the_first_moment_of_a_local_day(zone: ZoneInfo, day: date, hour: int) -> None:
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    run = next_run(Recurrence(ReportCadence.DAILY, hour), zone, noon)
    covered = run.start.astimezone(zone).date()
    assert run.key == f"DAILY:{covered}"
    assert (run.start - timedelta(seconds=1)).astimezone(zone).date() < covered
    assert (run.end - timedelta(seconds=1)).astimezone(zone).date() in {covered, covered - DAY}


def test_a_day_is_an_hour_shorter_or_longer_when_the_clocks_change() -> None:
    daily, vienna = Recurrence(ReportCadence.DAILY, 8), ZoneInfo("Europe/Vienna")
    spring = next_run(daily, vienna, datetime(2026, 3, 29, 12, tzinfo=UTC))
    autumn = next_run(daily, vienna, datetime(2026, 10, 25, 12, tzinfo=UTC))
    assert (spring.end - spring.start, autumn.end - autumn.start) == (timedelta(hours=23), timedelta(hours=25))
    assert spring.at == datetime(2026, 3, 30, 6, tzinfo=UTC)
    assert autumn.at == datetime(2026, 10, 26, 7, tzinfo=UTC)


def test_an_hour_that_is_skipped_or_comes_twice_has_one_report() -> None:
    daily, vienna = Recurrence(ReportCadence.DAILY, 2), ZoneInfo("Europe/Vienna")
    skipped = chain(daily, vienna, datetime(2026, 3, 27, 12, tzinfo=UTC), 3)
    assert [run.at.isoformat() for run in skipped] == [
        "2026-03-28T01:00:00+00:00",
        "2026-03-29T01:00:00+00:00",  # three o'clock in summer time
        "2026-03-30T00:00:00+00:00",
    ]
    twice = chain(daily, vienna, datetime(2026, 10, 24, 12, tzinfo=UTC), 2)
    assert [run.at.isoformat() for run in twice] == ["2026-10-25T00:00:00+00:00", "2026-10-26T01:00:00+00:00"]


def test_a_day_that_a_zone_left_out_has_no_report() -> None:
    runs = chain(Recurrence(ReportCadence.DAILY, 8), ZoneInfo("Pacific/Apia"), datetime(2011, 12, 28, tzinfo=UTC), 4)
    assert [run.key for run in runs] == ["DAILY:2011-12-27", "DAILY:2011-12-28", "DAILY:2011-12-29", "DAILY:2011-12-31"]


def test_a_week_is_that_from_monday_on_whichever_day_its_report_is_made() -> None:
    weekly = Recurrence(ReportCadence.WEEKLY, 9, Weekday.WEDNESDAY)
    run = next_run(weekly, UTC, datetime(2026, 12, 31, tzinfo=UTC))
    assert run.at == datetime(2027, 1, 6, 9, tzinfo=UTC)
    assert (run.start, run.end) == (datetime(2026, 12, 28, tzinfo=UTC), datetime(2027, 1, 4, tzinfo=UTC))


@pytest.mark.parametrize(
    ("day", "dates"),
    [
        (31, ["2027-12-31", "2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30"]),
        (30, ["2027-12-30", "2028-01-30", "2028-02-29", "2028-03-30", "2028-04-30"]),
        (29, ["2027-12-29", "2028-01-29", "2028-02-29", "2028-03-29", "2028-04-29"]),
        (1, ["2027-12-01", "2028-01-01", "2028-02-01", "2028-03-01", "2028-04-01"]),
    ],
)
def test_in_shorter_months_the_last_day_counts(day: int, dates: list[str]) -> None:
    monthly = Recurrence(ReportCadence.MONTHLY, 0, None, day)
    runs = chain(monthly, ZoneInfo("UTC"), datetime(2027, 11, 30, 12, tzinfo=UTC), 5)
    assert [run.at.date().isoformat() for run in runs] == dates
    assert [run.start.month for run in runs] == [11, 12, 1, 2, 3], "each is about the month before"


def test_february_of_a_common_year_ends_on_its_28th() -> None:
    monthly = Recurrence(ReportCadence.MONTHLY, 0, None, 30)
    assert next_run(monthly, UTC, datetime(2027, 2, 1, tzinfo=UTC)).at == datetime(2027, 2, 28, tzinfo=UTC)
