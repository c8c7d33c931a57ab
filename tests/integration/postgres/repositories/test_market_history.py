"""Volume by price and books of the past, computed by the database, are what plain arithmetic gives."""

import random
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from domain.indicators import volume_profile
from domain.indicators.volume_profile import bin_width, make_bins, price_range, rebin
from domain.model.markets import Candle, Depth, PriceLevel, Timeframe, Trade
from domain.model.order_side import OrderSide
from domain.model.volume import Bins, BinVolume, PriceRange
from infra.postgres.connection import Connection
from infra.postgres.repositories.market_data import PostgresMarketData
from infra.postgres.repositories.market_history import PostgresMarketHistory
from tests.support.trading import BTC, ETH

CENT = Decimal("0.01")
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


@pytest.fixture
def market_data(connection: Connection) -> PostgresMarketData:
    return PostgresMarketData(connection)


@pytest.fixture
def history(connection: Connection) -> PostgresMarketHistory:
    return PostgresMarketHistory(connection)


@pytest.fixture
async def start(connection: Connection) -> datetime:
    """A minute of this month, whose partitions are there."""
    present: datetime = await connection.fetchval("SELECT date_trunc('month', now()) + interval '1 day'")
    return present


def trades(start: datetime, count: int, seed: int = 1) -> list[Trade]:
    """Return trades of about 20 minutes, in the order of their times."""
    chance = random.Random(seed)
    return [
        Trade(
            BTC,
            str(number),
            start + number * timedelta(seconds=1200) / count,
            Decimal(chance.randrange(6_000_000, 6_050_000)) * CENT,
            Decimal(chance.randrange(1, 10_000)) / 100_000,
            chance.choice(list(OrderSide)),
        )
        for number in range(count)
    ]


def within(found: Sequence[Trade], start: datetime, end: datetime) -> list[Trade]:
    return [trade for trade in found if start <= trade.at < end]


def bin_trades(found: Sequence[Trade], bins: Bins) -> dict[int, tuple[Decimal, Decimal]]:
    """Return what was bought and sold in each bin that isn't empty."""
    sides: dict[int, dict[OrderSide, Decimal]] = defaultdict(lambda: {side: Decimal(0) for side in OrderSide})
    for trade in found:
        sides[int((trade.price - bins.low) // bins.width)][trade.side] += trade.quantity
    return {number: (each[OrderSide.BUY], each[OrderSide.SELL]) for number, each in sides.items()}


def reported(volumes: Sequence[BinVolume]) -> dict[int, tuple[Decimal, Decimal]]:
    return {volume.number: (volume.bought, volume.sold) for volume in volumes}


@pytest.mark.parametrize("first", [0, 20, 59.999999])
@pytest.mark.parametrize("length", [0.5, 30, 60, 100, 600.25])
async def test_sums_and_trades_both_give_every_bin_its_volume_from_any_moment_to_any_other(
    market_data: PostgresMarketData, history: PostgresMarketHistory, start: datetime, first: float, length: float
) -> None:
    stored = trades(start, 1_500)
    for begin in range(0, len(stored), 70):  # as a recorder does: several batches a minute
        await market_data.save_trades(stored[begin : begin + 70])
    begun, end = start + first * SECOND, start + (first + length) * SECOND
    expected = within(stored, begun, end)
    sums = await history.summed_prices(BTC, begun, end)
    summed, traded = price_range(sums), await history.traded_range(BTC, begun, end)
    if not expected:
        assert summed is traded is None
        return
    assert summed is not None
    assert traded == PriceRange(
        min(trade.price for trade in expected),
        max(trade.price for trade in expected),
        sum(trade.quantity for trade in expected),
    )
    assert summed.volume == traded.volume
    assert (summed.low, summed.high) == (int(traded.low), int(traded.high))
    fine, coarse = make_bins(traded, 37, CENT), make_bins(summed, 37, bin_width(summed.high))
    assert reported(await history.traded_volumes(BTC, begun, end, fine)) == bin_trades(expected, fine)
    assert reported(volume_profile.bin_trades(sums, coarse)) == bin_trades(expected, coarse)


async def test_a_trade_reported_twice_is_summed_once(
    market_data: PostgresMarketData, history: PostgresMarketHistory, start: datetime
) -> None:
    stored = trades(start, 50)
    await market_data.save_trades([*stored, stored[7]])
    await market_data.save_trades(stored[20:])
    summed = price_range(await history.summed_prices(BTC, start, start + 30 * MINUTE))
    assert summed is not None
    assert summed.volume == sum(trade.quantity for trade in stored)
    assert await history.summed_prices(ETH, start, start + 30 * MINUTE) == []


async def test_prices_of_different_lengths_are_summed_on_steps_that_fit_together(
    market_data: PostgresMarketData, history: PostgresMarketHistory, start: datetime
) -> None:
    prices = ["99999.99", "100000", "100004.5", "99998.01", "9.99999", "1"]
    stored = [
        Trade(BTC, str(number), start, Decimal(price), Decimal(number + 1), OrderSide.BUY)
        for number, price in enumerate(prices)
    ]
    await market_data.save_trades(stored)
    sums = await history.summed_prices(BTC, start, start + MINUTE)
    summed = price_range(sums)
    assert summed is not None
    bins = rebin(summed, 1_000, CENT)
    assert bins is not None
    assert reported(volume_profile.bin_trades(sums, bins)) == bin_trades(stored, bins)


def candle(start: datetime, minute: int, low: int, high: int, volume: str, rise: int = 0) -> Candle:
    middle = Decimal(low + high) / 2
    return Candle(
        BTC, Timeframe.M1, start + minute * MINUTE, middle, Decimal(high), Decimal(low), middle + rise, Decimal(volume),
        closed=True,
    )  # fmt: skip


async def test_candles_are_divided_among_the_bins_that_they_reach_and_lose_nothing(
    market_data: PostgresMarketData, history: PostgresMarketHistory, start: datetime
) -> None:
    await market_data.upsert_candles(
        [
            candle(start, 0, 100, 129, "1", rise=1),
            candle(start, 1, 110, 110, "0.7"),
            candle(start, 2, 125, 149, "3", rise=-1),
            candle(start, 3, 0, 999, "0"),
            candle(start, 4, 100, 109, "5"),
        ]
    )
    end = start + timedelta(minutes=4, seconds=59)
    assert await history.candle_range(BTC, start, end) == PriceRange(Decimal(100), Decimal(149), Decimal("4.7"))
    volumes = reported(await history.candle_volumes(BTC, start, end, Bins(Decimal(100), Decimal(10), 5)))
    third = Decimal("0.333333333333")
    assert volumes == {
        0: (1 - 2 * third, 0),
        1: (third + Decimal("0.35"), Decimal("0.35")),
        2: (third, 1),
        3: (0, 1),
        4: (0, 1),
    }
    assert sum(bought + sold for bought, sold in volumes.values()) == Decimal("4.7")
    assert await history.candle_range(BTC, end, end + MINUTE) is None


def depth(start: datetime, seconds: float, sequence: int, levels: int = 30) -> Depth:
    bids = tuple(PriceLevel(Decimal(1000 - number), Decimal("0.10")) for number in range(levels))
    asks = tuple(PriceLevel(Decimal(1001 + number), Decimal(number + 1)) for number in range(levels))
    at = start + seconds * SECOND
    return Depth(BTC, "e1", sequence, bids, asks, at - timedelta(milliseconds=5), at)


async def test_the_first_book_of_each_interval_comes_back_cut_to_its_top(
    market_data: PostgresMarketData, history: PostgresMarketHistory, start: datetime
) -> None:
    times = [0, 10, 20, 59.999999, 60, 70, 130, 300, 310, 360]
    stored = [depth(start, seconds, number) for number, seconds in enumerate(times)]
    await market_data.save_depth(stored)
    found = await history.depth_history(BTC, start, start + 360 * SECOND, 60, 5)
    assert [book.sequence for book in found] == [0, 4, 6, 7]
    first = stored[0]
    assert found[0] == Depth(BTC, "e1", 0, first.bids[:5], first.asks[:5], first.venue_time, first.received_at)
    assert [book.sequence for book in await history.depth_history(BTC, start + 5 * SECOND, start + MINUTE, 1, 100)] == [
        1, 2, 3,
    ]  # fmt: skip
    assert await history.depth_history(ETH, start, start + MINUTE, 60, 5) == []
    assert await history.depth_history(BTC, start, start + MINUTE, 2**31 - 1, 100) == stored[:1]
