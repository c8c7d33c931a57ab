"""A stream of trades that is cut, repeated, reordered and restarted makes the candles that all the trades make."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market_data.trade_sequencer import HISTORY_CANDLES, ResyncResult, TradeSequencer
from domain.model.markets import Candle, MarketSymbol, Timeframe, Trade
from domain.model.order_side import OrderSide
from domain.ports.market_data import VenueGap
from tests.support.fake_venue import FakeVenue

MARKET = MarketSymbol("sandbox", "BTC/USDT")
START = datetime(2024, 8, 8, 23, 51, 7, tzinfo=UTC)
"""Some minutes before a day's end, so that every timeframe closes."""

Key = tuple[Timeframe, datetime]


def trade(number: int, milliseconds: int, price: int = 100, quantity: int = 1) -> Trade:
    at = START + timedelta(milliseconds=milliseconds)
    return Trade(MARKET, str(number), at, Decimal(price), Decimal(quantity), OrderSide.BUY)


@dataclass
class Engine:
    """What an engine does with its sequencer, and what it stored and closed."""

    venue: FakeVenue
    stored: dict[Key, Candle] = field(default_factory=dict)
    closed: list[Candle] = field(default_factory=list)
    new_trades: list[str] = field(default_factory=list)
    sequencer: TradeSequencer = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        self.sequencer = TradeSequencer(MARKET, self.venue)

    async def resync(self) -> ResyncResult:
        result = await self.sequencer.resync()
        self.stored |= {(candle.timeframe, candle.open_time): candle for candle in result.history}
        self._close(result.missed)
        self.handle(result.trades)
        return result

    async def reconnect(self) -> None:
        self.sequencer.reset()
        await self.resync()

    def handle(self, batch: tuple[Trade, ...] | list[Trade]) -> None:
        new, closed = self.sequencer.handle(batch)
        self.new_trades += [trade.venue_trade_id for trade in new]
        self._close(closed)

    async def pass_time(self) -> None:
        """Do what is due at the venue's present time."""
        if (
            not self.sequencer.is_complete
            and self.sequencer.resync_at is not None
            and self.venue.now >= self.sequencer.resync_at
        ):
            await self.resync()
        if self.sequencer.is_complete:
            self._close(self.sequencer.candles.close_due(self.venue.now))

    def _close(self, candles: tuple[Candle, ...] | list[Candle]) -> None:
        self.closed += candles
        for candle in candles:
            self.stored.setdefault((candle.timeframe, candle.open_time), candle)


@st.composite
def histories(draw: st.DrawFn) -> list[tuple[list[Trade], str, int]]:
    """Batches of trades, what goes wrong with each, and how long it is quiet after it."""
    wrongs = st.sampled_from(["", "", "", "repeat", "reverse", "cut", "restart", "miss"])
    gap = st.one_of(st.integers(0, 3_000), st.integers(0, 200_000))
    steps = draw(
        st.lists(
            st.tuples(
                st.lists(st.tuples(st.integers(0, 20_000), st.integers(95, 105), st.integers(1, 9)), max_size=5),
                wrongs,
                gap,
            ),
            min_size=1,
            max_size=14,
        )
    )
    at, number, batches = 0, 98, []
    for trades, wrong, quiet in steps:
        batch = []
        for step, price, quantity in trades:
            at, number = at + step, number + 1
            batch.append(trade(number, at, price, quantity))
        at += quiet
        batches.append((batch, wrong, quiet))
    return batches


async def lived(batches: list[tuple[list[Trade], str, int]], most: int) -> Engine:
    """Run an engine through a history; its stream has all trades but those that `wrong` names."""
    venue = FakeVenue([trade(1, 0), *(trade for batch, _, _ in batches for trade in batch)], most)
    engine, before = Engine(venue), []
    await engine.resync()
    for batch, wrong, quiet in batches:
        if batch:
            venue.now = batch[-1].at
        if wrong == "restart":
            engine.restart()
        if wrong in {"cut", "restart"}:
            await engine.reconnect()
        elif wrong == "miss":
            engine.sequencer.reset()
        else:
            engine.handle({"repeat": before + batch, "reverse": batch[::-1]}.get(wrong, batch))
        venue.now += timedelta(milliseconds=quiet)
        if wrong == "miss":
            await engine.reconnect()
        await engine.pass_time()
        before = batch
    return engine


@settings(max_examples=80, deadline=None)
@given(histories(), st.sampled_from([3, 20, 1_000]))
def test_closed_candles_are_those_of_all_trades_whatever_happens_to_the_stream(
    batches: list[tuple[list[Trade], str, int]], most: int
) -> None:
    engine = asyncio.run(lived(batches, most))
    for timeframe in Timeframe:
        right = {(timeframe, candle.open_time): candle for candle in engine.venue.candles(timeframe) if candle.closed}
        mine = {key: each for key, each in engine.stored.items() if key[0] is timeframe}
        # What ended a moment ago is still open, and so is a minute of which too little is known.
        still_open = [key for key in right if key not in mine]
        assert {key: each for key, each in right.items() if key in mine} == mine
        assert still_open == list(right)[len(mine) :]
        behind = engine.venue.now - timedelta(seconds=1)
        if engine.sequencer.is_complete:
            assert all(right[key].close_time > behind for key in still_open)


@settings(max_examples=80, deadline=None)
@given(histories(), st.sampled_from([3, 1_000]))
def test_no_candle_is_published_before_its_end_or_twice_or_otherwise_than_it_is_stored(
    batches: list[tuple[list[Trade], str, int]], most: int
) -> None:
    engine = asyncio.run(
        lived([(batch, "cut" if wrong == "restart" else wrong, q) for batch, wrong, q in batches], most)
    )
    counted = Counter((candle.timeframe, candle.open_time) for candle in engine.closed)
    assert not [key for key, count in counted.items() if count > 1]
    for candle in engine.closed:
        assert candle.closed
        assert candle.close_time <= engine.venue.now
        assert engine.stored[candle.timeframe, candle.open_time] == candle


@settings(max_examples=60, deadline=None)
@given(histories())
def test_longer_candles_add_up_from_minutes(batches: list[tuple[list[Trade], str, int]]) -> None:
    engine = asyncio.run(lived(batches, 1_000))
    for (timeframe, opened), candle in engine.stored.items():
        minutes = [
            each
            for (kind, at), each in engine.stored.items()
            if kind is Timeframe.M1 and opened <= at < candle.close_time and each.volume
        ]
        if sum(minute.volume for minute in minutes) == candle.volume and minutes:
            minutes.sort(key=lambda each: each.open_time)
            assert (candle.open, candle.close) == (minutes[0].open, minutes[-1].close), timeframe
            assert candle.high == max(minute.high for minute in minutes)
            assert candle.low == min(minute.low for minute in minutes)
        else:
            assert not minutes or sum(minute.volume for minute in minutes) < candle.volume


@settings(max_examples=60, deadline=None)
@given(histories())
def test_every_trade_that_the_venue_still_gives_is_published_once(batches: list[tuple[list[Trade], str, int]]) -> None:
    kept = [(batch, "cut" if wrong == "restart" else wrong, quiet) for batch, wrong, quiet in batches]
    engine = asyncio.run(lived(kept, 1_000))
    assert Counter(engine.new_trades) == Counter(trade.venue_trade_id for trade in engine.venue.trades)


async def test_a_minute_of_which_the_venue_gives_too_few_trades_is_the_venues_own_when_it_is_over() -> None:
    trades = [trade(number, number * 1_000) for number in range(40)]
    venue = FakeVenue([trade(100, -60_000), *trades], most=5)
    engine = Engine(venue)
    venue.now = trades[29].at
    start = await engine.resync()
    assert not engine.sequencer.is_complete
    assert {candle.timeframe for candle in start.forming} == set(Timeframe)
    engine.handle(trades[30:])
    assert (engine.closed, engine.sequencer.changed()) == ([], [])
    venue.now = START.replace(minute=52, second=2, microsecond=100_000)
    await engine.pass_time()
    assert engine.sequencer.is_complete
    (minute,) = [candle for candle in engine.closed if candle.timeframe is Timeframe.M1]
    assert (minute.open_time, minute.volume) == (START.replace(second=0), 40)


async def test_as_much_volume_as_a_minute_had_before_the_trades_came_is_not_the_whole_minute() -> None:
    trades = [trade(number, number * 1_000, price=100 + number) for number in range(20)]
    venue = FakeVenue([trade(100, -60_000), *trades], most=5)
    venue.now = trades[4].at
    fetch = venue.fetch_trades

    async def late(market: MarketSymbol, limit: int) -> list[Trade]:
        venue.now = trades[19].at
        return await fetch(market, limit)

    venue.fetch_trades = late
    sequencer = TradeSequencer(MARKET, venue)
    await sequencer.resync()
    assert not sequencer.is_complete, "five trades of volume 5 came last, and five others were in the candle"


async def test_a_minute_that_has_volume_is_not_complete_without_any_trade() -> None:
    venue = FakeVenue([trade(0, 0), trade(1, 1_000)])
    venue.now = START + timedelta(seconds=9)

    async def none(_market: MarketSymbol, _limit: int) -> list[Trade]:
        return []

    venue.fetch_trades = none
    sequencer = TradeSequencer(MARKET, venue)
    await sequencer.resync()
    assert not sequencer.is_complete


async def test_few_trades_may_not_be_all_of_a_minute_whose_candle_the_venue_does_not_list_yet() -> None:
    trades = [trade(number, number * 1_000) for number in range(9)]
    venue = FakeVenue([trade(100, -60_000), *trades], most=5)
    venue.now = trades[8].at
    fetch = venue.fetch_candles

    async def closed(market: MarketSymbol, timeframe: Timeframe, start: datetime | None, limit: int) -> list[Candle]:
        return [candle for candle in await fetch(market, timeframe, start, limit) if candle.closed]

    venue.fetch_candles = closed
    sequencer = TradeSequencer(MARKET, venue)
    await sequencer.resync()
    assert not sequencer.is_complete


async def test_a_market_without_older_trades_is_complete_if_its_first_trades_make_the_venues_candle() -> None:
    trades = [trade(number, number * 1_000, price=100 + number) for number in range(9)]
    venue = FakeVenue(trades)
    venue.now = trades[4].at
    fetch = venue.fetch_trades

    async def late(market: MarketSymbol, limit: int) -> list[Trade]:
        venue.now = trades[8].at
        return await fetch(market, limit)

    venue.fetch_trades = late
    sequencer = TradeSequencer(MARKET, venue)
    sequencer.handle((await sequencer.resync()).trades)
    assert sequencer.is_complete
    assert {candle.volume for candle in sequencer.candles.forming()} == {9}


async def test_a_minute_that_closed_just_before_the_stream_broke_is_in_the_longer_candles() -> None:
    venue = FakeVenue([trade(1, 0), trade(2, 30_000, price=103, quantity=5)])
    engine = Engine(venue)
    await engine.resync()
    venue.now = venue.trades[1].at
    engine.handle(venue.trades[1:])
    # A second after its end the minute closes, and until another second later the venue's own isn't relied on.
    venue.now = START.replace(minute=52, second=1, microsecond=500_000)
    await engine.pass_time()
    await engine.reconnect()
    assert [(candle.timeframe, candle.volume) for candle in engine.closed] == [(Timeframe.M1, 6)]
    assert {candle.volume for candle in engine.sequencer.candles.forming() if candle.timeframe is not Timeframe.M1} == {
        6
    }
    venue.now = START.replace(minute=54, second=1, microsecond=500_000)
    await engine.pass_time()
    (longer,) = [candle for candle in engine.closed if candle.timeframe is Timeframe.M3]
    assert longer in venue.candles(Timeframe.M3)


async def test_a_trade_of_the_future_ends_the_stream_and_closes_nothing() -> None:
    venue = FakeVenue([trade(1, 0)])
    engine = Engine(venue)
    await engine.resync()
    with pytest.raises(VenueGap, match="ahead of the venue's clock"):
        engine.handle([trade(2, 3_600_000)])
    assert engine.closed == []
    assert {candle.volume for candle in engine.sequencer.candles.forming()} == {1}


async def test_a_beginning_that_the_stream_does_not_outlive_counts_for_nothing() -> None:
    venue = FakeVenue([trade(1, 0)])
    sequencer = TradeSequencer(MARKET, venue)
    fetch = venue.fetch_trades

    async def broken(market: MarketSymbol, limit: int) -> list[Trade]:
        sequencer.reset()
        return await fetch(market, limit)

    venue.fetch_trades = broken
    with pytest.raises(Exception, match="broke while"):
        await sequencer.resync()
    assert not sequencer.is_complete


async def test_the_past_of_a_venue_that_leaves_out_empty_minutes_is_not_filled_for_years() -> None:
    venue = FakeVenue([trade(1, 0)])
    closed = venue.fetch_candles

    async def sparse(market: MarketSymbol, timeframe: Timeframe, start: datetime | None, limit: int) -> list[Candle]:
        (newest,) = (await closed(market, timeframe, start, 1))[-1:]
        days = [timedelta(days=number) for number in range(limit, 0, -1)]
        return [replace(newest, open_time=newest.open_time - day, closed=True) for day in days]

    venue.fetch_candles = sparse
    start = await TradeSequencer(MARKET, venue).resync()
    assert len(start.history) <= HISTORY_CANDLES * len(Timeframe)
