from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.market_data.candle_aggregation import RETAINED_CANDLES, CandleAggregator
from domain.market_data.candles import build_forming, resample
from domain.model.markets import VENUE_TIMEFRAMES, Candle, MarketSymbol, Timeframe, Trade
from domain.model.order_side import OrderSide

MARKET = MarketSymbol("sandbox", "BTC/USDT")
MONDAY = datetime(2024, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

moments = st.datetimes(datetime(1960, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # Hypothesis'
timeframes = st.sampled_from(Timeframe)


@given(timeframes, moments)
def test_each_moment_lies_within_the_candle_that_holds_it(timeframe: Timeframe, at: datetime) -> None:
    opened = timeframe.open_time(at)
    assert opened <= at < opened + timeframe.duration
    assert timeframe.open_time(opened) == opened
    assert timeframe.open_time(opened + timeframe.duration) == opened + timeframe.duration


@given(timeframes, moments)
def test_days_begin_at_midnight_and_weeks_on_mondays(timeframe: Timeframe, at: datetime) -> None:
    day = Timeframe.D1.open_time(at)
    assert (day.hour, day.minute, day.second, day.microsecond) == (0, 0, 0, 0)
    assert Timeframe.W1.open_time(at).weekday() == 0
    if timeframe is not Timeframe.W1:
        assert (timeframe.open_time(at) - day) % timeframe.duration == timedelta(0)


@given(timeframes, timeframes, moments)
def test_shorter_candles_never_reach_over_the_end_of_one_that_they_divide(
    shorter: Timeframe, longer: Timeframe, at: datetime
) -> None:
    if shorter.divides(longer):
        opened = shorter.open_time(at)
        assert longer.open_time(opened) == longer.open_time(opened + shorter.duration - timedelta(microseconds=1))


def test_the_names_are_those_of_the_venues_and_stand_by_length() -> None:
    names = [timeframe.venue_name for timeframe in Timeframe]
    assert names == ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "12h", "1d", "1w"]
    assert [timeframe.seconds for timeframe in Timeframe] == sorted(timeframe.seconds for timeframe in Timeframe)
    assert all(
        any(timeframe.divides(longer) for timeframe in VENUE_TIMEFRAMES)
        for longer in Timeframe
        if longer != Timeframe.M1
    )


def minute(number: int, volume: int = 1) -> Candle:
    price = Decimal(100 + number * 7 % 31)
    prices = (price, price + number % 5, price - number % 3, price + number % 2)
    return Candle(MARKET, Timeframe.M1, MONDAY + number * MINUTE, *prices, volume=Decimal(volume), closed=True)


@given(st.integers(1, 2 * 7 * 1440), timeframes)
def test_a_forming_candle_is_made_of_the_few_that_are_kept_of_each_shorter_timeframe(
    minutes: int, timeframe: Timeframe
) -> None:
    until = MONDAY + minutes * MINUTE
    kept = {
        timeframe: [
            opened_at(timeframe, timeframe.open_time(until) - number * timeframe.duration)
            for number in range(1, RETAINED_CANDLES + 1)
        ]
        for timeframe in Timeframe
    }
    made = build_forming(kept, timeframe, until)
    if timeframe.open_time(until) == until:
        assert made is None
    else:
        assert made is not None
        assert made.open_time == timeframe.open_time(until)
        assert made.volume * 60 == (until - made.open_time).total_seconds()


def opened_at(timeframe: Timeframe, at: datetime) -> Candle:
    one = Decimal(1)
    return Candle(MARKET, timeframe, at, one, one, one, one, Decimal(timeframe.seconds // 60), closed=True)


@given(st.lists(st.integers(0, 3), min_size=30, max_size=800), timeframes, st.integers(0, 11))
def test_minutes_add_up_to_the_same_candles_whichever_way(volumes: list[int], timeframe: Timeframe, step: int) -> None:
    minutes = [minute(number, volume) for number, volume in enumerate(volumes)]
    between = list(Timeframe)[step]
    until = minutes[-1].close_time
    direct = [minute for minute in resample(minutes, timeframe, MONDAY, until) if minute.closed]
    if between.divides(timeframe):
        parts = [minute for minute in resample(minutes, between, MONDAY, until) if minute.closed]
        assert [candle for candle in resample(parts, timeframe, MONDAY, until) if candle.closed] == direct
    built = CandleAggregator(MARKET)
    closed = [candle for minute in trades_of(minutes) for candle in built.add(minute)]
    closed += built.close_due(until + timedelta(seconds=1))
    shown = [(candle.open_time, candle.volume) for candle in closed if candle.timeframe is timeframe]
    begun = next((minute.open_time for minute in minutes if minute.volume), until)
    expected = [(candle.open_time, candle.volume) for candle in direct if candle.close_time > begun]
    if timeframe is not Timeframe.M1:
        assert shown == expected


def trades_of(minutes: list[Candle]) -> list[Trade]:
    return [
        Trade(MARKET, f"{minute.open_time:%d%H%M}", minute.open_time, minute.open, minute.volume, OrderSide.BUY)
        for minute in minutes
        if minute.volume
    ]


def test_a_bucket_that_begins_before_the_first_part_is_left_out() -> None:
    minutes = [minute(number) for number in range(7, 31)]
    made = resample(minutes, Timeframe.M15, minutes[0].open_time, minutes[-1].close_time)
    assert [(candle.open_time, candle.closed) for candle in made] == [
        (MONDAY + 15 * MINUTE, True),
        (MONDAY + 30 * MINUTE, False),
    ]


@pytest.mark.parametrize("timeframe", Timeframe)
def test_every_timeframe_closes_at_its_end(timeframe: Timeframe) -> None:
    built = CandleAggregator(MARKET)
    end = MONDAY + timeframe.duration
    opening = Trade(MARKET, "1", MONDAY, Decimal(100), Decimal(2), OrderSide.BUY)
    closing = Trade(MARKET, "2", end - MINUTE, Decimal(90), Decimal(3), OrderSide.SELL)
    closed = [candle for each in (opening, closing) for candle in built.add(each)]
    assert timeframe not in {candle.timeframe for candle in closed}
    closed = built.close_due(end + timedelta(seconds=1))
    (done,) = [candle for candle in closed if candle.timeframe is timeframe]
    assert (done.open_time, done.close, done.volume, done.closed) == (MONDAY, 90, 5, True)
