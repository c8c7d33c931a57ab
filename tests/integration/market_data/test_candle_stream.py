"""The stream of candles that a reader of the hub gets, whatever comes by the bus."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from domain.market_data import codec
from domain.market_data.hub import MarketDataHub
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


class Reader:
    """What one reader was told, and what comes by the bus."""

    def __init__(self, bus: EmbeddedBus, stream: AsyncIterator[Candle]) -> None:
        self._bus = bus
        self._stream = stream

    async def hears(self, *candles: Candle, told: int) -> list[Candle]:
        for each in candles:
            await self._bus.publish(candles_topic(BTC), codec.encode_candles([each]))
        return [await anext(self._stream) for _ in range(told)]


@pytest.fixture
async def reader(database: PostgresDatabase) -> AsyncIterator[Reader]:
    bus, clock = EmbeddedBus(), SystemClock()
    hub = MarketDataHub(bus, EmbeddedCache(clock), database, clock)
    await hub.start()
    stream = hub.candle_stream(BTC, Timeframe.M1)
    reader = Reader(bus, stream)
    async with hub.subscribe(BTC):
        # The stream listens from its first `anext` on, and begins with what is forming.
        assert await reader.hears(candle(0, closed=False), told=1) == [candle(0, closed=False)]
        yield reader
        await stream.aclose()
    await hub.close()


async def test_candles_that_closed_while_nobody_told_of_them_come_from_the_storage(
    reader: Reader, database: PostgresDatabase
) -> None:
    async with database.transaction() as transaction:
        await transaction.market_data.ensure_candle_partitions(FIRST, candle(5).open_time)
        await transaction.market_data.upsert_candles([candle(number) for number in range(3)])
    forming = candle(3, closed=False)
    assert await reader.hears(forming, told=4) == [candle(0), candle(1), candle(2), forming]
    assert await reader.hears(candle(3), told=1) == [candle(3)]


async def test_a_candle_is_told_as_closed_once_and_is_not_opened_again(reader: Reader) -> None:
    again = [candle(0), candle(0), candle(0, closed=False), replace(candle(0), close=Decimal(2))]
    assert await reader.hears(candle(0), told=1) == [candle(0)]
    assert await reader.hears(*again, candle(1, closed=False), told=1) == [candle(1, closed=False)]


async def test_each_state_of_a_forming_candle_may_take_the_place_of_the_one_before(reader: Reader) -> None:
    states = [replace(candle(0, closed=False), close=Decimal(price)) for price in range(2, 5)]
    assert await reader.hears(*states, candle(0), told=1) == [candle(0)]
