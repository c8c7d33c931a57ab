from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.market_data.candle_aggregation import CandleAggregator, CandleBuilder
from domain.market_data.candles import build_forming, merge
from domain.model.markets import Candle, MarketSymbol, Timeframe, Trade
from domain.model.order_side import OrderSide

MARKET = MarketSymbol("sandbox", "BTC/USDT")
START = datetime(2024, 8, 5, tzinfo=UTC)  # a Monday: every timeframe begins


def trade(seconds: float, price: str = "100", quantity: str = "1") -> Trade:
    at = START + timedelta(seconds=seconds)
    return Trade(MARKET, f"{seconds}-{price}", at, Decimal(price), Decimal(quantity), OrderSide.BUY)


@st.composite
def streams(draw: st.DrawFn) -> list[Trade]:
    steps = draw(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 500), st.integers(1, 50)), max_size=60))
    trades, at = [], 0
    for step, price, quantity in steps:
        at += step
        trades.append(trade(at, str(price), str(quantity)))
    return trades


def closed_by(trades: list[Trade]) -> dict[Timeframe, list[Candle]]:
    candles, closed = CandleAggregator(MARKET), {timeframe: [] for timeframe in Timeframe}
    for trade in trades:
        for candle in candles.add(trade):
            closed[candle.timeframe].append(candle)
    for candle in candles.forming():
        closed[candle.timeframe].append(candle)
    return closed


@given(streams())
def test_every_timeframe_conserves_volume(trades: list[Trade]) -> None:
    for candles in closed_by(trades).values():
        assert sum(candle.volume for candle in candles) == sum(trade.quantity for trade in trades)


@given(streams())
def test_high_and_low_bound_all_that_was_traded_in_the_bucket(trades: list[Trade]) -> None:
    for timeframe, candles in closed_by(trades).items():
        for candle in candles:
            prices = [trade.price for trade in trades if timeframe.open_time(trade.at) == candle.open_time]
            if prices:
                assert (candle.open, candle.close) == (prices[0], prices[-1])
                assert (candle.high, candle.low) == (max(prices), min(prices))
            else:
                assert candle.volume == 0
                assert candle.open == candle.high == candle.low == candle.close


@given(streams())
def test_candles_are_contiguous_and_only_the_last_is_forming(trades: list[Trade]) -> None:
    for candles in closed_by(trades).values():
        for before, after in pairwise(candles):
            assert after.open_time == before.close_time
            assert before.closed
            if after.volume == 0:
                assert after.open == before.close
        assert not any(candle.closed for candle in candles[-1:])


@given(streams(), st.lists(st.integers(0, 30_000), max_size=20))
def test_no_candle_closes_twice_however_time_and_late_trades_come(trades: list[Trade], times: list[int]) -> None:
    builder, seen = CandleBuilder(Timeframe.M1), []
    moments = sorted(times)
    for index, each in enumerate(trades):
        seen += builder.add(each)
        if index < len(moments):
            seen += builder.close_due(START + timedelta(seconds=moments[index]))
    opened = [candle.open_time for candle in seen]
    assert opened == sorted(set(opened))
    assert all(candle.closed for candle in seen)
    assert builder.forming is None or not opened or builder.forming.open_time == seen[-1].close_time


def test_a_candle_closes_one_second_after_its_end_and_not_before() -> None:
    builder = CandleBuilder(Timeframe.M1)
    builder.add(trade(10))
    assert builder.close_due(START + timedelta(seconds=60.999)) == []
    (closed,) = builder.close_due(START + timedelta(seconds=61))
    assert (closed.open_time, closed.closed, closed.volume) == (START, True, Decimal(1))
    assert builder.forming is not None
    assert builder.forming.volume == 0


def test_an_empty_bucket_is_a_candle_without_volume_at_the_previous_close() -> None:
    builder = CandleBuilder(Timeframe.M1)
    builder.add(trade(10, "101"))
    closed = builder.close_due(START + timedelta(seconds=121))
    assert [(candle.close, candle.volume) for candle in closed] == [(Decimal(101), 1), (Decimal(101), 0)]


def test_the_first_trade_of_an_empty_forming_candle_sets_its_open_high_and_low() -> None:
    builder = CandleBuilder(Timeframe.M1)
    builder.add(trade(10, "101"))
    builder.close_due(START + timedelta(seconds=61))
    builder.add(trade(90, "90"))
    assert builder.forming is not None
    assert (builder.forming.open, builder.forming.high, builder.forming.low) == (90, 90, 90)


def test_a_late_trade_is_counted_and_changes_nothing() -> None:
    builder = CandleBuilder(Timeframe.M1)
    builder.add(trade(10))
    builder.close_due(START + timedelta(seconds=61))
    assert builder.add(trade(59, "500")) == []
    assert builder.late == 1
    assert builder.forming is not None
    assert builder.forming.close == 100


@given(streams(), st.integers(1, 59))
def test_a_series_that_goes_on_from_the_venues_candles_ends_as_one_that_saw_everything(
    trades: list[Trade], lost_from: int
) -> None:
    cut = len(trades) * lost_from // 60
    whole = CandleAggregator(MARKET)
    history: dict[Timeframe, list[Candle]] = {timeframe: [] for timeframe in Timeframe}
    for trade in trades:
        for candle in whole.add(trade):
            history[candle.timeframe].append(candle)
    if not trades:
        return
    until = Timeframe.M1.open_time(trades[-1].at)
    broken = CandleAggregator(MARKET)
    seen = [candle for trade in trades[:cut] for candle in broken.add(trade)]
    seen += broken.reset(history, {candle.timeframe: candle for candle in whole.forming()}, until)
    for trade in trades:
        if trade.at >= until:
            seen += broken.add(trade)
    for timeframe in Timeframe:
        mine = [candle for candle in seen if candle.timeframe is timeframe]
        assert mine == history[timeframe][len(history[timeframe]) - len(mine) :]
        opened = [candle.open_time for candle in mine]
        assert opened == sorted(set(opened))
        if cut and trades[0].at < until:
            assert len(mine) == len(history[timeframe])
    if Timeframe.M1.open_time(trades[0].at) == START:
        assert {c.timeframe: c.volume for c in broken.forming()} == {c.timeframe: c.volume for c in whole.forming()}


def test_a_reset_into_a_minute_that_was_closed_already_does_not_open_it_again() -> None:
    candles = CandleAggregator(MARKET)
    candles.add(trade(10))
    candles.close_due(START + timedelta(seconds=61))
    candles.reset({}, {}, START)
    assert candles.add(trade(20)) == [] or all(c.timeframe is not Timeframe.M1 for c in candles.add(trade(20)))
    minute = next(candle for candle in candles.forming() if candle.timeframe is Timeframe.M1)
    assert minute.open_time == START + timedelta(seconds=60)


def test_a_forming_hour_is_added_up_from_quarters_and_minutes() -> None:
    until = datetime(2024, 8, 8, 12, 17, tzinfo=UTC)
    hour = until.replace(minute=0)

    def candle(timeframe: Timeframe, minute: int, price: int) -> Candle:
        value = Decimal(price)
        opened = hour + timedelta(minutes=minute)
        return Candle(MARKET, timeframe, opened, value, value + 1, value - 1, value, Decimal(2), closed=True)

    history = {
        Timeframe.M15: [candle(Timeframe.M15, 0, 10)],
        Timeframe.M1: [candle(Timeframe.M1, 15, 20), candle(Timeframe.M1, 16, 5)],
    }
    formed = build_forming(history, Timeframe.H1, until)
    assert formed is not None
    assert (formed.open_time, formed.open, formed.high, formed.low, formed.close, formed.volume) == (
        hour,
        10,
        21,
        4,
        5,
        6,
    )
    assert build_forming({Timeframe.M15: history[Timeframe.M15]}, Timeframe.H1, until) is None


def test_parts_without_volume_do_not_stretch_a_combined_candle() -> None:
    flat = Candle(MARKET, Timeframe.M1, START, *[Decimal(1)] * 4, volume=Decimal(0), closed=True)
    traded = Candle(MARKET, Timeframe.M1, flat.close_time, *[Decimal(7)] * 4, volume=Decimal(3), closed=True)
    assert merge([flat, traded], Timeframe.M5).low == 7
    assert merge([flat], Timeframe.M5).close == 1
