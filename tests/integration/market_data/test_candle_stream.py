"""The stream of candles that a reader of the hub gets, whatever comes by the bus."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from domain.market_data import codec
from domain.market_data.closed_candles import ClosedCandleStream
from domain.market_data.hub import MarketDataHub
from domain.market_data.timings import HubTimings
from domain.market_data.topics import candles_topic
from domain.model.markets import Candle, Timeframe
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.embedded.cache import EmbeddedCache
from infra.postgres.database import PostgresDatabase
from tests.support.venues import BTC

FIRST = Timeframe.M1.open_time(datetime.now(UTC))
ONE = Decimal(1)


def candle(number: int, *, closed: bool = True) -> Candle:
    opened = FIRST + number * Timeframe.M1.duration
    return Candle(BTC, Timeframe.M1, opened, ONE, ONE, ONE, ONE, Decimal(number), closed=closed)


async def stored(database: PostgresDatabase, *candles: Candle) -> None:
    async with database.transaction() as transaction:
        await transaction.market_data.ensure_candle_partitions(FIRST, candle(5).open_time)
        await transaction.market_data.upsert_candles(candles)


class Reader:
    """One reader of the stream, and the bus that feeds it."""

    def __init__(self, bus: EmbeddedBus, stream: AsyncIterator[Candle]) -> None:
        self._bus = bus
        self._stream = stream

    async def receive(self, *candles: Candle, count: int) -> list[Candle]:
        for candle in candles:
            await self._bus.publish(candles_topic(BTC), codec.encode_candles([candle]))
        return [await anext(self._stream) for _ in range(count)]


@pytest.fixture
async def reader(database: PostgresDatabase) -> AsyncIterator[Reader]:
    bus, clock = EmbeddedBus(), SystemClock()
    hub = MarketDataHub(bus, EmbeddedCache(clock), database, clock)
    await hub.start()
    stream = hub.candle_stream(BTC, Timeframe.M1)
    reader = Reader(bus, stream)
    async with hub.subscribe(BTC):
        # The stream listens from its first `anext` on, and begins with what is forming.
        assert await reader.receive(candle(0, closed=False), count=1) == [candle(0, closed=False)]
        yield reader
        await stream.aclose()
    await hub.close()


async def test_candles_that_closed_without_being_published_come_from_the_database(
    reader: Reader, database: PostgresDatabase
) -> None:
    await stored(database, *(candle(number) for number in range(3)))
    forming = candle(3, closed=False)
    assert await reader.receive(forming, count=4) == [candle(0), candle(1), candle(2), forming]
    assert await reader.receive(candle(3), count=1) == [candle(3)]


async def test_a_candle_closes_once_and_is_not_opened_again(reader: Reader) -> None:
    again = [candle(0), candle(0), candle(0, closed=False), replace(candle(0), close=Decimal(2))]
    assert await reader.receive(candle(0), count=1) == [candle(0)]
    assert await reader.receive(*again, candle(1, closed=False), count=1) == [candle(1, closed=False)]


@pytest.fixture
async def closing(database: PostgresDatabase) -> AsyncIterator[tuple[EmbeddedBus, ClosedCandleStream]]:
    bus, clock = EmbeddedBus(), SystemClock()
    timings = HubTimings(overdue_after=0, overdue_every=0.01)
    hub = MarketDataHub(bus, EmbeddedCache(clock), database, clock, lambda _venue: candle(5).open_time, timings=timings)
    await hub.start()
    async with hub.closed_candles(BTC, Timeframe.M1) as arrivals:
        yield bus, arrivals
    await hub.close()


async def test_closed_candles_come_once_and_in_order_and_the_latest_is_known(
    closing: tuple[EmbeddedBus, ClosedCandleStream], database: PostgresDatabase
) -> None:
    bus, arrivals = closing
    await stored(database, candle(0), candle(1), candle(2))
    for published in (candle(0), candle(0), candle(1, closed=False), candle(3), candle(0)):
        await bus.publish(candles_topic(BTC), codec.encode_candles([published]))
    closed, latest = [], []
    for _ in range(4):
        closed.append(await anext(arrivals))
        latest.append(arrivals.is_latest(closed[-1]))
    assert closed == [candle(number) for number in range(4)]
    assert latest == [False, False, False, True]


async def test_a_closed_candle_that_nobody_published_comes_from_the_database_once_it_is_overdue(
    closing: tuple[EmbeddedBus, ClosedCandleStream], database: PostgresDatabase
) -> None:
    bus, arrivals = closing
    await bus.publish(candles_topic(BTC), codec.encode_candles([candle(0)]))
    assert await anext(arrivals) == candle(0)
    missing = asyncio.ensure_future(anext(arrivals))
    await stored(database, candle(1), candle(2))
    assert await missing == candle(1)
    assert await anext(arrivals) == candle(2)


async def test_each_state_of_a_forming_candle_may_replace_the_one_before(reader: Reader) -> None:
    states = [replace(candle(0, closed=False), close=Decimal(price)) for price in range(2, 5)]
    assert await reader.receive(*states, candle(0), count=1) == [candle(0)]
