"""The requests to venues that each respond in their own way, and the candles made up for what they leave out."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.market_data import history_download
from domain.market_data.history_download import MAX_FAILURES, Gap, HistoryDownloader
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.ports.market_data import VenueUnreachable

BTC = MarketSymbol("kraken", "BTC/EUR")
START = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

Answer = Callable[[list[Candle], datetime, timedelta], list[Candle]]


def from_the_next(candles: list[Candle], start: datetime, _duration: timedelta) -> list[Candle]:
    """Answer as Binance does: with the first 1,000 candles from `start` on, whenever they are."""
    return [candle for candle in candles if candle.open_time >= start][:1_000]


def within_a_window(candles: list[Candle], start: datetime, duration: timedelta) -> list[Candle]:
    """Answer as Coinbase does: with what was traded within 300 buckets, which may be nothing."""
    return [candle for candle in candles if start <= candle.open_time < start + 300 * duration]


def the_newest(candles: list[Candle], start: datetime, _duration: timedelta) -> list[Candle]:
    """Answer as Kraken does: with the newest 720, however early the start is."""
    return [candle for candle in candles[-720:] if candle.open_time >= start]


class Venue:
    """A venue that has traded in some minutes, and leaves out all candles without a trade."""

    def __init__(self, traded: Sequence[int], answer: Answer) -> None:
        self.requests: list[tuple[Timeframe, datetime]] = []
        self.failures: list[VenueUnreachable] = []
        self._answer = answer
        self._traded = sorted(traded)

    async def fetch_candles(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime | None, limit: int
    ) -> list[Candle]:
        assert start is not None
        if self.failures:
            raise self.failures.pop(0)
        self.requests.append((timeframe, start))
        minutes: dict[datetime, int] = {}
        for minute in self._traded:
            minutes.setdefault(timeframe.open_time(START + minute * MINUTE), minute)
        candles = [candle(timeframe, at, minute) for at, minute in minutes.items()]
        return self._answer(candles, start, timeframe.duration)


def candle(timeframe: Timeframe, at: datetime, minute: int, volume: int = 1) -> Candle:
    price = Decimal(1_000 + minute)
    return Candle(BTC, timeframe, at, price, price, price, price, Decimal(volume), closed=False)


def new_downloader(venue: Venue, messages: list[str] | None = None) -> HistoryDownloader:
    return HistoryDownloader(venue, BTC, Timeframe.M1, (messages if messages is not None else []).append)


async def fetched(downloader: HistoryDownloader, gap: Gap) -> dict[int, tuple[int, int]]:
    """Return the candles of a gap, price and volume by minute; each once, in order, and all of the gap dealt with."""
    found: dict[int, tuple[int, int]] = {}
    until = gap.start
    async for batch in downloader.fetch(gap):
        for candle in batch.candles:
            minute = (candle.open_time - START) // MINUTE
            assert candle.closed
            assert not found or minute == max(found) + 1 or downloader.withheld
            found[minute] = (int(candle.close) - 1_000, int(candle.volume))
        assert batch.until >= until
        until = batch.until
    assert until == gap.end
    return found


def new_gap(first: int, end: int, before: int | None = None, *, followed: bool = False) -> Gap:
    stored = None if before is None else candle(Timeframe.M1, START + (first - 1) * MINUTE, before)
    return Gap(START + first * MINUTE, START + end * MINUTE, stored, followed)


@given(
    traded=st.sets(st.integers(0, 6_000), max_size=60),
    first=st.integers(1, 5_000),
    length=st.integers(1, 3_000),
    is_stored=st.booleans(),
    followed=st.booleans(),
    answer=st.sampled_from([from_the_next, within_a_window]),
)
@settings(max_examples=100, deadline=None)
async def test_every_minute_between_two_known_candles_is_there_and_no_other(
    traded: set[int], first: int, length: int, is_stored: bool, followed: bool, answer: Answer
) -> None:
    end = first + length
    before = first - 1 if is_stored else None
    traded |= {first - 1} if is_stored else set()
    inside = sorted(minute for minute in traded if first <= minute < end)
    begin = first if before is not None else min(inside, default=end)
    expected, last = {}, before
    for minute in range(begin, end):
        last = minute if minute in traded else last
        expected[minute] = (last, 1 if minute in traded else 0)
    known = {minute: found for minute, found in expected.items() if inside and minute <= inside[-1]}

    found = await fetched(new_downloader(Venue(list(traded), answer)), new_gap(first, end, before, followed=followed))
    if followed:
        assert found == expected
    elif answer is from_the_next:
        assert found == (expected if max(traded, default=-1) >= end else known)
    else:
        # Whether it sees a trade after the gap depends on where its last window ends.
        assert found in (expected, known)


async def test_nothing_is_made_up_where_a_venue_withholds_its_older_candles() -> None:
    venue = Venue(range(10_000), the_newest)
    downloader = new_downloader(venue)
    found = await fetched(downloader, new_gap(100, 10_000, before=99))
    assert found == {minute: (minute, 1) for minute in range(9_280, 10_000)}
    assert downloader.withheld == [(START + 100 * MINUTE, START + 9_280 * MINUTE)]


@pytest.mark.parametrize("length", [3, 5_000])
async def test_nothing_is_made_up_in_a_stretch_that_is_older_than_all_that_the_venue_gives(length: int) -> None:
    downloader = new_downloader(Venue(range(10_000), the_newest))
    assert await fetched(downloader, new_gap(100, 100 + length, before=99, followed=True)) == {}
    assert downloader.withheld == [(START + 100 * MINUTE, START + (100 + length) * MINUTE)]


async def test_years_without_a_trade_cost_few_questions() -> None:
    a_year = 365 * 1_440
    venue = Venue([5 * a_year + 7], within_a_window)
    found = await fetched(new_downloader(venue), new_gap(0, 5 * a_year + 100))
    assert found == {5 * a_year + 7: (5 * a_year + 7, 1)}
    assert len(venue.requests) < 40


async def test_a_full_history_is_asked_page_by_page_and_nothing_twice() -> None:
    venue = Venue(range(3_500), from_the_next)
    assert len(await fetched(new_downloader(venue), new_gap(0, 3_500))) == 3_500
    assert venue.requests == [(Timeframe.M1, START + begin * MINUTE) for begin in (0, 1_000, 2_000, 3_000)]


async def test_a_venue_that_does_not_answer_is_asked_again_after_what_it_asks_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(history_download.asyncio, "sleep", sleep)
    messages: list[str] = []
    venue = Venue(range(10), from_the_next)
    venue.failures = [VenueUnreachable("RequestTimeout"), VenueUnreachable("too many", 30.0), VenueUnreachable("502")]
    assert len(await fetched(new_downloader(venue, messages), new_gap(0, 10))) == 10
    assert slept == [1, 30, 4]
    assert messages[0] == "kraken did not answer (RequestTimeout); asked again in 1 s"

    venue.failures = [VenueUnreachable("away")] * MAX_FAILURES
    with pytest.raises(VenueUnreachable):
        await fetched(new_downloader(venue), new_gap(0, 10))
    assert max(slept) == 60
