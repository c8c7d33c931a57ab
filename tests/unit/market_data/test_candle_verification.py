"""What becomes of candles that were built here when the venue's own are looked at."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.market_data.candle_aggregation import RETAINED_CANDLES, CandleAggregator
from domain.market_data.candle_verification import MAX_ATTEMPTS, CandleVerifier
from domain.market_data.trade_feed import SlewedClock
from domain.model.markets import Candle, MarketSymbol, Timeframe, Trade
from domain.model.order_side import OrderSide
from domain.ports.market_data import VenueUnreachable
from tests.support.fake_venue import FakeVenue

MARKET = MarketSymbol("sandbox", "BTC/USDT")
START = datetime(2024, 8, 5, tzinfo=UTC)  # a Monday: every timeframe begins
MINUTE = Timeframe.M1.duration


def trade(number: int, seconds: float, price: int = 100, quantity: int = 1) -> Trade:
    at = START + timedelta(seconds=seconds)
    return Trade(MARKET, str(number), at, Decimal(price), Decimal(quantity), OrderSide.BUY)


class Stored:
    """Stands in for the writer: what was corrected."""

    def __init__(self) -> None:
        self.candles: dict[tuple[Timeframe, datetime], Candle] = {}

    async def correct(self, candles: Sequence[Candle]) -> None:
        self.candles |= {(candle.timeframe, candle.open_time): candle for candle in candles}


class Venue(FakeVenue):
    """Knows trades that the engine missed; may leave out minutes, be away, or be late with a volume."""

    def __init__(self, trades: Sequence[Trade]) -> None:
        super().__init__(trades)
        self.away = False
        self.without: set[datetime] = set()
        self.late: dict[datetime, Decimal] = {}
        self.requests: list[tuple[Timeframe, int]] = []

    async def fetch_candles(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime | None, limit: int
    ) -> list[Candle]:
        if self.away:
            raise VenueUnreachable("it is away")
        self.requests.append((timeframe, limit))
        candles = await super().fetch_candles(market, timeframe, start, limit)
        known = [candle for candle in candles if candle.open_time not in self.without]
        return [replace(candle, volume=self.late.pop(candle.open_time, candle.volume)) for candle in known]


@pytest.fixture
def stored() -> Stored:
    return Stored()


def seen(trades: Sequence[Trade], now: datetime) -> tuple[CandleAggregator, list[Candle]]:
    candles = CandleAggregator(MARKET)
    closed = [candle for trade in trades for candle in candles.add(trade)]
    return candles, closed + candles.close_due(now)


async def test_a_candle_is_compared_once_its_own_is_final_with_one_question_a_timeframe(stored: Stored) -> None:
    trades = [trade(number, number * 20) for number in range(20)]
    venue = Venue(trades)
    verifier = CandleVerifier(MARKET, venue, stored, 10)
    venue.now = START + timedelta(seconds=381)
    _, closed = seen(trades, venue.now)
    verifier.enqueue(closed)
    assert verifier.pending == 9
    assert await verifier.check(START + timedelta(seconds=309)) == []
    assert venue.requests == [(Timeframe.M1, 4), (Timeframe.M3, 1)]
    venue.requests.clear()
    assert await verifier.check(START + timedelta(seconds=390)) == []
    assert venue.requests == [(Timeframe.M1, 2), (Timeframe.M3, 1), (Timeframe.M5, 1)]
    assert (verifier.pending, verifier.checked) == (0, 9)
    assert set(stored.candles.values()) == set(closed)


async def test_longer_candles_that_hold_a_corrected_minute_are_corrected_too(stored: Stored) -> None:
    trades = [trade(number, number * 20, 100 + number) for number in range(20)]
    missed = [trade for trade in trades if trade.venue_trade_id != "4"]
    venue = Venue(trades)
    verifier = CandleVerifier(MARKET, venue, stored, 10)
    venue.now = START + timedelta(seconds=400)
    _, closed = seen(missed, venue.now)
    verifier.enqueue(closed)
    corrected = await verifier.check(venue.now)
    volumes = [(candle.timeframe, candle.volume) for candle in corrected]
    assert volumes == [(Timeframe.M1, 3), (Timeframe.M3, 9), (Timeframe.M5, 15)]
    assert [verifier.corrections[timeframe] for timeframe in (Timeframe.M1, Timeframe.M3, Timeframe.M5)] == [1, 1, 1]
    await verifier.check(venue.now)
    assert (verifier.pending, verifier.corrections[Timeframe.M1]) == (0, 1)


async def test_a_venue_that_is_late_is_looked_at_again_until_it_agrees_with_itself(stored: Stored) -> None:
    trades = [trade(number, number * 20) for number in range(6)]
    venue = Venue(trades)
    venue.late[START] = Decimal(2)
    verifier = CandleVerifier(MARKET, venue, stored, 10)
    venue.now = START + timedelta(seconds=100)
    _, closed = seen(trades, venue.now)
    verifier.enqueue(closed)
    for _ in range(3):
        await verifier.check(venue.now)
    assert verifier.pending == 0
    assert stored.candles[Timeframe.M1, START] == closed[0]


async def test_what_the_venue_leaves_out_is_empty_or_stays_as_it_was_traded(stored: Stored) -> None:
    trades = [trade(1, 0), trade(2, 130)]
    venue = Venue(trades)
    verifier = CandleVerifier(MARKET, venue, stored, 10)
    venue.now = START + timedelta(seconds=200)
    _, closed = seen(trades, venue.now)
    venue.without = {candle.open_time for candle in closed}
    verifier.enqueue(closed)
    await verifier.check(venue.now)
    assert verifier.pending == 3
    for _ in range(MAX_ATTEMPTS):
        await verifier.check(venue.now)
    assert (verifier.pending, verifier.unconfirmed) == (0, 3)
    assert stored.candles == {}


async def test_a_venue_that_is_away_is_asked_again_for_all_that_waits(stored: Stored) -> None:
    trades = [trade(number, number * 20) for number in range(20)]
    venue = Venue(trades)
    verifier = CandleVerifier(MARKET, venue, stored, 10)
    venue.now = START + timedelta(seconds=400)
    _, closed = seen(trades, venue.now)
    verifier.enqueue(closed)
    venue.away = True
    with pytest.raises(VenueUnreachable):
        await verifier.check(venue.now)
    venue.away = False
    await verifier.check(venue.now)
    assert (verifier.pending, verifier.checked) == (0, len(closed))


prices = st.lists(st.tuples(st.integers(0, 90), st.integers(95, 105), st.integers(1, 9)), min_size=2, max_size=60)


@given(prices, st.data())
def test_a_correction_puts_the_forming_candles_right(steps: list[tuple[int, int, int]], data: st.DataObject) -> None:
    at, trades = 0, []
    for number, (step, price, quantity) in enumerate(steps):
        at += step if number else 0  # the day, and so every timeframe, begins with the first trade
        trades.append(trade(number, at, price, quantity))
    now = trades[-1].at
    forming_since = Timeframe.M1.open_time(now)
    lost = data.draw(st.sampled_from([*[trade for trade in trades if trade.at < forming_since], None]))
    right, closed = seen(trades, now)
    wrong, built = seen([trade for trade in trades if trade is not lost], now)
    if lost is trades[0]:
        return  # the series begins with its first trade
    recent = {(candle.timeframe, candle.open_time): candle for candle in built}
    differing = [candle for candle in closed if recent.get((candle.timeframe, candle.open_time)) != candle]
    wrong.correct(differing)
    if lost is None or now - lost.at < RETAINED_CANDLES * MINUTE:
        assert wrong.forming() == right.forming()


def test_a_correction_that_changes_nothing_changes_nothing() -> None:
    trades = [trade(number, number * 20, 100 + number % 7) for number in range(100)]
    candles, closed = seen(trades, trades[-1].at)
    before = candles.forming()
    candles.correct(closed[-5:])
    assert candles.forming() == before


def test_a_clock_that_leaps_ahead_is_followed_slowly_and_one_that_falls_back_at_once() -> None:
    venue_time, passed = [START], [0.0]
    time = SlewedClock(lambda: venue_time[0], lambda: passed[0])
    assert time.now() == START
    passed[0], venue_time[0] = 1.0, START + timedelta(seconds=1.5)
    assert time.now() == venue_time[0]
    passed[0], venue_time[0] = 11.0, START + timedelta(hours=1)
    assert time.now() == START + timedelta(seconds=12.5)
    time.reset()
    assert time.now() == venue_time[0]
    venue_time[0] = START
    assert time.now() == START
