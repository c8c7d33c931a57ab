"""Histories of equity from stored points: whole, covered_by_points where it isn't known, and unchanged by payments."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import isclose
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.core.errors import RequestFault
from domain.model.equity import EquityInterval, StoredEquity
from domain.portfolio.equity_history import HOLDS_FOR, equity_history, history_period
from domain.portfolio.equity_points import Standing

NOW = datetime(2026, 11, 5, 12, 30, 10, tzinfo=UTC)
OPENED = NOW - timedelta(days=30)
MINUTE, HOUR, DAY = EquityInterval.MINUTE, EquityInterval.HOUR, EquityInterval.DAY
NOBODY = UUID(int=0)
amounts = st.integers(1, 10**9).map(Decimal)


def point(at: datetime, equity: object = 1000, **changes: object) -> StoredEquity:
    return StoredEquity(NOBODY, NOBODY, at, Decimal(str(equity)), Decimal(1000), Decimal(0), **changes)  # type: ignore[arg-type]


def stored(*standings: tuple[object, object]) -> StoredEquity:
    """Return the last of the points that these standings (equity, deposited) make, a minute apart."""
    last: StoredEquity | None = None
    for number, (equity, deposited) in enumerate(standings):
        standing = Standing(Decimal(str(equity)), Decimal(str(deposited)))
        last = standing.point(NOBODY, NOBODY, NOW + timedelta(minutes=number), last)
    assert last is not None
    return last


@pytest.mark.parametrize("interval", EquityInterval)
def test_the_default_is_365_intervals_of_which_the_last_is_now(interval: EquityInterval) -> None:
    period = history_period(interval, None, None, datetime(2020, 1, 1, tzinfo=UTC), NOW)
    assert len(period.intervals) == 365
    assert period.intervals[-1][1] == NOW
    assert period.intervals[0][0] == period.intervals[0][1] - interval.duration


@given(
    st.sampled_from(EquityInterval),
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)) | st.none(),  # noqa: DTZ001  # hypothesis takes them so
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31), timezones=st.just(UTC)) | st.none(),  # noqa: DTZ001  # as above
)
def test_any_period_is_refused_or_has_as_many_intervals_as_are_allowed(
    interval: EquityInterval, start: datetime | None, end: datetime | None
) -> None:
    try:
        period = history_period(interval, start, end, OPENED, NOW)
    except RequestFault as fault:
        assert fault.code.value == "INVALID"  # noqa: PT017  # most periods are refused
        return
    intervals = period.intervals
    assert len(intervals) <= 1_001
    assert all(begins < ends for begins, ends in intervals)
    assert all(ends <= NOW for _, ends in intervals)


def test_nothing_before_the_account_and_nothing_of_the_future_is_in_it() -> None:
    period = history_period(DAY, NOW - timedelta(days=90), NOW + timedelta(days=90), OPENED, NOW)
    assert period.intervals[0][0] == datetime(2026, 10, 6, tzinfo=UTC)
    assert period.intervals[-1] == (datetime(2026, 11, 5, tzinfo=UTC), NOW)
    assert history_period(DAY, NOW + timedelta(days=1), None, OPENED, NOW).intervals == []


@given(st.lists(st.integers(0, 59), unique=True), st.lists(st.booleans(), min_size=60, max_size=60))
def test_points_and_gaps_cover_the_period_once(minutes: list[int], rests: list[bool]) -> None:
    start = NOW.replace(minute=0, second=0)
    period = history_period(MINUTE, start, start + timedelta(hours=1), OPENED, start + timedelta(hours=2))
    points = [point(start + timedelta(minutes=minute, seconds=7), rests=rests[minute]) for minute in sorted(minutes)]
    found = equity_history("USDT", period, None, points)
    covered_by_points = {each.at for each in found.points}
    for gap in found.gaps:
        covered = {begins for begins, _ in period.intervals if gap.start <= begins < gap.end}
        assert not covered & covered_by_points
        covered_by_points |= covered
    assert covered_by_points == {begins for begins, _ in period.intervals}
    assert all(each.recorded_at <= each.at + timedelta(minutes=1) for each in found.points)


def test_an_account_at_rest_has_no_gap_and_one_that_is_no_longer_followed_has() -> None:
    start = NOW.replace(minute=0, second=0)
    period = history_period(HOUR, start - timedelta(hours=5), start, OPENED, NOW)
    resting = equity_history("USDT", period, point(start - timedelta(days=9), rests=True), [])
    assert [each.equity for each in resting.points] == [1000] * 5
    assert resting.gaps == ()
    assert resting.return_percent is None
    lost = equity_history("USDT", period, point(start - timedelta(days=9)), [])
    assert [(gap.start, gap.end) for gap in lost.gaps] == [(start - timedelta(hours=5), start)]


def test_a_point_holds_until_the_next_may_be_due() -> None:
    start = NOW.replace(minute=0, second=0)
    period = history_period(MINUTE, start, start + timedelta(minutes=5), OPENED, NOW)
    found = equity_history("USDT", period, point(start - timedelta(seconds=1)), [])
    assert [each.at for each in found.points] == [start, start + timedelta(minutes=1)]
    assert found.gaps[0].start == start + timedelta(minutes=2)
    assert timedelta(minutes=3) == HOLDS_FOR


def test_deposits_and_withdrawals_change_no_return_and_no_drawdown() -> None:
    last = stored((1000, 1000), (1100, 1000), (5100, 5000), (4845, 5000), (45, 200))
    assert isclose(last.growth, 1.1 * 0.95)
    assert isclose(last.return_percent, 4.5)
    assert isclose(last.drawdown_percent, 5.0)
    assert last.profit == -155


@given(st.lists(st.tuples(st.integers(-(10**9), 10**9), st.integers(-(10**9), 10**9)), max_size=20), amounts)
def test_equity_is_the_start_and_flows_and_profit(steps: list[tuple[int, int]], start: Decimal) -> None:
    last = Standing(start, start).point(NOBODY, NOBODY, NOW, None)
    for earned, payment in steps:
        equity, paid, before = last.equity + earned + payment, last.deposited + payment, last.profit
        last = Standing(equity, paid).point(NOBODY, NOBODY, NOW, last)
        assert last.profit == before + earned
        assert last.equity == start + (paid - start) + last.profit
        assert last.peak >= last.profit
        assert 0 <= last.drawdown_percent <= 100


@given(st.lists(st.tuples(st.integers(-500, 500), st.integers(0, 10**6)), min_size=1, max_size=20), amounts)
def test_the_return_is_the_product_of_the_parts_whatever_was_paid(steps: list[tuple[int, int]], start: Decimal) -> None:
    equity, paid, expected = start, start, 1.0
    last = Standing(equity, paid).point(NOBODY, NOBODY, NOW, None)
    for permille, payment in steps:
        equity, paid = equity * (1000 + permille) / 1000 + payment, paid + payment
        expected *= (1000 + permille) / 1000
        last = Standing(equity, paid).point(NOBODY, NOBODY, NOW, last)
    assert isclose(last.growth, expected, rel_tol=1e-9)
