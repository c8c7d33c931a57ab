"""Gaps tell of the candles of a job what reading all of them would."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.indicators.candle_arrays import SeriesKey
from domain.model.markets import Timeframe
from domain.research.candle_coverage import CandleCoverage, NoCandles, Span, coverage_notes, require_candles
from domain.research.candle_needs import CandleNeeds, CandleRequest
from tests.support.orders import a_market

HOUR = timedelta(hours=1)
START = datetime(2026, 1, 5, tzinfo=UTC)
MARKET = a_market()
WARM_UP, CANDLES = 6, 12


def needs(named: dict[SeriesKey, int] | None = None, warm_up: int = WARM_UP) -> CandleNeeds:
    return CandleNeeds((MARKET,), Timeframe.H1, START, START + CANDLES * HOUR, warm_up, named or {})


def own() -> CandleRequest:
    return needs().own(MARKET)


def gaps_between(opened: list[datetime], first: datetime, end: datetime) -> list[Span]:
    found, expected = [], first
    for moment in [*opened, end]:
        if moment > expected:
            found.append((expected, moment))
        expected = moment + HOUR
    return found


@given(st.sets(st.integers(0, WARM_UP + CANDLES - 1)), st.integers(-1, WARM_UP + CANDLES + 1), st.booleans())
def test_counts_and_times_are_those_of_the_stored_candles(stored: set[int], moment: int, is_between: bool) -> None:
    request = own()
    opened = [request.first + index * HOUR for index in sorted(stored)]
    coverage = CandleCoverage(request, gaps_between(opened, request.first, request.end))
    at = request.first + moment * HOUR + (timedelta(minutes=20) if is_between else timedelta(0))
    assert coverage.count_before(at) == sum(one < at for one in opened)
    for index in range(WARM_UP + CANDLES + 1):
        assert coverage.open_time(index) == (opened[index] if index < len(opened) else None)
    assert coverage.missing == WARM_UP + CANDLES - len(stored)
    assert coverage.within_period().missing == CANDLES - sum(one >= request.start for one in opened)


def test_a_series_without_candles_in_the_period_is_refused_by_name() -> None:
    key = SeriesKey(None, Timeframe.M5)
    both = needs({key: 3})
    named = both.named(MARKET)[key]
    whole = CandleCoverage(both.own(MARKET), [])
    require_candles(both, [whole, CandleCoverage(named, [])])
    with pytest.raises(NoCandles) as refused:
        require_candles(both, [whole, CandleCoverage(named, [(named.first, named.end)])])
    assert (refused.value.request, refused.value.key) == (named, key)
    with pytest.raises(NoCandles, match="There are no 1h candles of sandbox:BTC/USDT from 2026-01-05 00:00 UTC to"):
        require_candles(needs(), [CandleCoverage(own(), [(START, START + CANDLES * HOUR)])])


def test_candles_that_may_still_come_are_no_reason_to_refuse() -> None:
    require_candles(needs(), [CandleCoverage(own(), [(own().first, START + (CANDLES - 1) * HOUR)])])


def test_the_notes_name_what_is_missing_in_the_period_and_since_when_a_strategy_can_signal() -> None:
    gaps = [(own().first, own().first + 2 * HOUR), (START + HOUR, START + 4 * HOUR)]
    assert list(coverage_notes(needs(), [CandleCoverage(own(), gaps)])) == [
        (
            "3 1h candles of sandbox:BTC/USDT are missing, and the venue has none, most of them from "
            "2026-01-05 01:00 UTC to 2026-01-05 04:00 UTC; the others are taken as they are."
        ),
        (
            "The strategy needs 6 candles before its first signal, and of sandbox:BTC/USDT there are 4 before the "
            "period: it can signal from 2026-01-05 05:00 UTC on."
        ),
    ]
    assert list(coverage_notes(needs(), [CandleCoverage(own(), [])])) == []


def test_the_notes_say_that_a_strategy_never_signals() -> None:
    greedy = needs(warm_up=40)
    request = greedy.own(MARKET)
    coverage = CandleCoverage(request, [(request.first, START)])
    assert list(coverage_notes(greedy, [coverage])) == [
        "The strategy needs 40 candles before its first signal, and of sandbox:BTC/USDT there are 12: it never signals."
    ]
