"""Realised profit by period and group: days of a time zone, and sums that agree however they are grouped."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.errors import RequestFault
from domain.model.profit import CurrencyAmount, ProfitGrouping, ProfitPeriod, ProfitRow
from domain.performance.profit_groups import ProfitQuery, profit_groups, profit_query

NOW = datetime(2026, 11, 5, 12, 30, tzinfo=UTC)
DAY, WEEK, MONTH = ProfitPeriod.DAY, ProfitPeriod.WEEK, ProfitPeriod.MONTH
ZONES = ["UTC", "Europe/Vienna", "America/New_York", "Asia/Kolkata", "Pacific/Apia", "Asia/Beirut", "Africa/Cairo"]
moments = st.datetimes(datetime(1960, 1, 1), datetime(2300, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis takes them so


def query(period: ProfitPeriod | None, start: str | None, end: str, zone: str = "UTC") -> ProfitQuery:
    begins = None if start is None else datetime.fromisoformat(start).replace(tzinfo=UTC)
    ends = datetime.fromisoformat(end).replace(tzinfo=UTC)
    return profit_query(begins, ends, period, None, ZoneInfo(zone), ends)


def starts(*arguments: str, period: ProfitPeriod = DAY) -> list[str]:
    return [f"{start:%m-%d %H:%M}" for start in query(period, *arguments).starts]


def row(profit: object = 1, **changes: object) -> ProfitRow:
    values = {"part": 0, "key": None, "venue": "sandbox", "quote": "USDT", "day": NOW, "fees": Decimal(0)}
    counts = {"round_trips": 1, "wins": 1, "losses": 0}
    return ProfitRow(**{**values, **counts, "profit": Decimal(str(profit)), **changes})  # type: ignore[arg-type]


def test_a_day_has_23_or_25_hours_where_clocks_change() -> None:
    assert starts("2026-03-27T23:00", "2026-03-30T22:00", "Europe/Vienna") == [
        "03-27 23:00", "03-28 23:00", "03-29 22:00",
    ]  # fmt: skip
    assert starts("2026-10-23T22:00", "2026-10-26T23:00", "Europe/Vienna") == [
        "10-23 22:00", "10-24 22:00", "10-25 23:00",
    ]  # fmt: skip


def test_a_day_begins_an_hour_late_where_clocks_go_forward_at_midnight() -> None:
    assert starts("2026-03-27T22:00", "2026-03-30T21:00", "Asia/Beirut") == [
        "03-27 22:00", "03-28 22:00", "03-29 21:00",
    ]  # fmt: skip


def test_weeks_begin_on_monday_and_the_first_part_where_the_period_does() -> None:
    assert starts("2026-11-04T10:00", "2026-11-16T00:00", period=WEEK) == ["11-04 10:00", "11-09 00:00"]
    assert starts("2026-01-31T10:00", "2026-04-01T00:00", period=MONTH) == [
        "01-31 10:00", "02-01 00:00", "03-01 00:00",
    ]  # fmt: skip


@pytest.mark.parametrize("period", ProfitPeriod)
@pytest.mark.parametrize("zone", ZONES)
def test_by_default_there_are_about_31_parts_and_the_last_is_the_present_one(period: ProfitPeriod, zone: str) -> None:
    found = profit_query(None, None, period, None, ZoneInfo(zone), NOW).starts
    assert 28 <= len(found) <= 32
    assert found[-1] <= NOW
    assert found[0].astimezone(ZoneInfo(zone)).hour in {0, 1}


def test_too_many_parts_are_refused_with_what_would_do() -> None:
    with pytest.raises(RequestFault, match="more than 1,000 days"):
        query(DAY, "2020-01-01", "2026-01-01")
    with pytest.raises(RequestFault, match="before"):
        query(None, "2026-01-02", "2026-01-01")


@given(st.none() | moments, st.none() | moments, st.none() | st.sampled_from(ProfitPeriod), st.sampled_from(ZONES))
def test_any_time_is_divided_without_gaps_or_refused(
    start: datetime | None, end: datetime | None, period: ProfitPeriod | None, zone: str
) -> None:
    try:
        found = profit_query(start, end, period, None, ZoneInfo(zone), NOW)
    except RequestFault as fault:
        assert fault.code.value == "INVALID"  # noqa: PT017  # many are refused
        return
    parts = found.starts
    assert 1 <= len(parts) <= 1_001
    assert all(first < second for first, second in pairwise(parts))
    assert all(part.astimezone(ZoneInfo(zone)).minute in {0, 30} for part in parts[1:])
    assert found.end <= NOW


rows = st.lists(
    st.builds(
        row,
        st.integers(-(10**6), 10**6),
        part=st.integers(0, 3),
        key=st.sampled_from(["a", "b", None]),
        quote=st.sampled_from(["USDT", "BTC", "XYZ"]),
        wins=st.integers(0, 1),
    )
)
RATES = {"USDT": Decimal(1), "BTC": Decimal("61234.5")}


@given(rows)
def test_the_sum_of_the_groups_is_the_whole(rows: list[ProfitRow]) -> None:
    four_days = ProfitQuery(NOW - timedelta(days=3, hours=1), NOW, DAY, ProfitGrouping.TAG, ZoneInfo("UTC"))
    total, groups = profit_groups(four_days, rows, lambda each: RATES.get(each.quote))
    assert sum(group.profit or 0 for group in groups) == (total.profit or 0)
    assert sum(group.round_trips for group in groups) == total.round_trips == len(rows)
    assert sum(group.wins for group in groups) == total.wins
    left_out = sum(each.amount for group in groups for each in group.unpriced)
    assert left_out == sum(each.amount for each in total.unpriced)
    expected = sum(each.profit * RATES[each.quote] for each in rows if each.quote in RATES)
    assert (total.profit or 0) == expected


def test_what_has_no_rate_is_named_and_not_counted_as_nothing() -> None:
    whole = ProfitQuery(None, NOW, None, None, ZoneInfo("UTC"))
    total, _ = profit_groups(whole, [row(5), row(7, quote="XYZ")], lambda each: RATES.get(each.quote))
    assert (total.profit, total.unpriced) == (5, (CurrencyAmount("XYZ", Decimal(7)),))
    total, _ = profit_groups(whole, [row(7, quote="XYZ")], lambda each: RATES.get(each.quote))
    assert total.profit is None
    total, _ = profit_groups(whole, [], lambda each: RATES.get(each.quote))
    assert total.profit == 0
