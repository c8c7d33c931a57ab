import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from domain.market_data.conflating_queue import (
    ConflatingQueue,
    LatestByKey,
    keep_all,
    keep_latest,
    latest_per_type,
    latest_until_closed,
)
from domain.model.markets import Candle, Depth, FeedState, FeedStatus, MarketSymbol, Timeframe

MARKET = MarketSymbol("sandbox", "BTC/USDT")
NOW = datetime(2024, 8, 8, tzinfo=UTC)


async def drained(box: ConflatingQueue) -> list:
    return [await box.get() for _ in range(len(box))]


def candle(minute: int, volume: int, *, closed: bool) -> Candle:
    opened = NOW + timedelta(minutes=minute)
    return Candle(MARKET, Timeframe.M1, opened, *[Decimal(1)] * 4, volume=Decimal(volume), closed=closed)


async def test_a_slow_reader_of_tickers_gets_the_newest_alone() -> None:
    box: ConflatingQueue[int] = ConflatingQueue(keep_latest)
    for number in range(1000):
        box.put(number)
    assert await drained(box) == [999]


async def test_trades_are_kept_to_the_limit_and_what_is_lost_is_counted() -> None:
    box: ConflatingQueue[int] = ConflatingQueue(keep_all, limit=3)
    for number in range(5):
        box.put(number)
    assert box.dropped == 2
    assert await drained(box) == [2, 3, 4]


async def test_a_slow_reader_of_books_gets_the_newest_book_and_state_in_their_order() -> None:
    depth = Depth(MARKET, "e", 1, (), (), None, NOW)
    live = FeedStatus(MARKET, FeedState.LIVE, NOW)
    box: ConflatingQueue[Depth | FeedStatus] = ConflatingQueue(latest_per_type)
    for item in (depth, replace(depth, sequence=2), live, replace(depth, sequence=3), replace(depth, sequence=4)):
        box.put(item)
    assert await drained(box) == [replace(depth, sequence=2), live, replace(depth, sequence=4)]


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=40))
def test_closed_candles_are_never_dropped_and_forming_ones_never_pile_up(told: list[tuple[int, bool]]) -> None:
    async def check() -> None:
        box: ConflatingQueue[Candle] = ConflatingQueue(latest_until_closed)
        candles = [candle(number, volume, closed=closed) for number, (volume, closed) in enumerate(told)]
        for each in candles:
            box.put(each)
        got = await drained(box)
        assert [each for each in got if each.closed] == [each for each in candles if each.closed]
        assert len([each for each in got if not each.closed]) <= 1
        assert got[-1:] == candles[-1:]

    asyncio.run(check())


async def test_a_reader_waits_for_the_next_item() -> None:
    box: ConflatingQueue[int] = ConflatingQueue(keep_latest)
    reading = asyncio.create_task(box.get())
    await asyncio.sleep(0)
    box.put(7)
    assert await reading == 7


@given(st.lists(st.tuples(st.integers(0, 4), st.integers())))
async def test_a_slow_reader_of_many_things_gets_the_newest_of_each_in_the_line_of_their_first_coming(
    items: list[tuple[int, int]],
) -> None:
    box: LatestByKey[int, tuple[int, int]] = LatestByKey(lambda item: item[0])
    for item in items:
        box.put(item)
    assert [await box.get() for _ in range(len(box))] == list({key: (key, value) for key, value in items}.values())


async def test_a_thing_that_always_has_news_keeps_no_other_waiting() -> None:
    box: LatestByKey[str, tuple[str, int]] = LatestByKey(lambda item: item[0])
    box.put(("busy", 0))
    box.put(("quiet", 0))
    seen = []
    for number in range(1, 4):
        seen.append((await box.get())[0])
        box.put(("busy", number))
    assert seen == ["busy", "quiet", "busy"]
