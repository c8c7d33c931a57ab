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


async def drained(queue: ConflatingQueue) -> list:
    return [await queue.get() for _ in range(len(queue))]


def candle(minute: int, volume: int, *, closed: bool) -> Candle:
    opened = NOW + timedelta(minutes=minute)
    return Candle(MARKET, Timeframe.M1, opened, *[Decimal(1)] * 4, volume=Decimal(volume), closed=closed)


async def test_a_slow_reader_of_tickers_gets_the_newest_alone() -> None:
    queue: ConflatingQueue[int] = ConflatingQueue(keep_latest)
    for number in range(1000):
        queue.put(number)
    assert await drained(queue) == [999]


async def test_trades_are_kept_to_the_limit_and_what_is_lost_is_counted() -> None:
    queue: ConflatingQueue[int] = ConflatingQueue(keep_all, limit=3)
    for number in range(5):
        queue.put(number)
    assert queue.dropped == 2
    assert await drained(queue) == [2, 3, 4]


async def test_a_slow_reader_of_books_gets_the_newest_book_and_state_in_their_order() -> None:
    depth = Depth(MARKET, "e", 1, (), (), None, NOW)
    live = FeedStatus(MARKET, FeedState.LIVE, NOW)
    queue: ConflatingQueue[Depth | FeedStatus] = ConflatingQueue(latest_per_type)
    for item in (depth, replace(depth, sequence=2), live, replace(depth, sequence=3), replace(depth, sequence=4)):
        queue.put(item)
    assert await drained(queue) == [replace(depth, sequence=2), live, replace(depth, sequence=4)]


@given(st.lists(st.tuples(st.integers(1, 9), st.booleans()), max_size=40))
def test_closed_candles_are_never_dropped_and_forming_ones_never_pile_up(states: list[tuple[int, bool]]) -> None:
    async def check() -> None:
        queue: ConflatingQueue[Candle] = ConflatingQueue(latest_until_closed)
        candles = [candle(number, volume, closed=closed) for number, (volume, closed) in enumerate(states)]
        for state in candles:
            queue.put(state)
        got = await drained(queue)
        assert [state for state in got if state.closed] == [state for state in candles if state.closed]
        assert len([state for state in got if not state.closed]) <= 1
        assert got[-1:] == candles[-1:]

    asyncio.run(check())


async def test_a_reader_waits_for_the_next_item() -> None:
    queue: ConflatingQueue[int] = ConflatingQueue(keep_latest)
    reading = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put(7)
    assert await reading == 7


@given(st.lists(st.tuples(st.integers(0, 4), st.integers())))
async def test_a_slow_reader_of_many_things_gets_the_newest_of_each_in_the_line_of_their_first_coming(
    items: list[tuple[int, int]],
) -> None:
    queue: LatestByKey[int, tuple[int, int]] = LatestByKey(lambda item: item[0])
    for item in items:
        queue.put(item)
    assert [await queue.get() for _ in range(len(queue))] == list({key: (key, value) for key, value in items}.values())


async def test_a_key_that_always_changes_keeps_no_other_waiting() -> None:
    queue: LatestByKey[str, tuple[str, int]] = LatestByKey(lambda item: item[0])
    queue.put(("busy", 0))
    queue.put(("quiet", 0))
    seen = []
    for number in range(1, 4):
        seen.append((await queue.get())[0])
        queue.put(("busy", number))
    assert seen == ["busy", "quiet", "busy"]
