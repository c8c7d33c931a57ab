"""Markets, and the history of what was seen on them."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from domain.core.pagination import TimeKeysetPage
from domain.model.markets import Candle, Depth, Market, MarketSymbol, PriceLevel, Timeframe, Trade
from domain.model.order_side import OrderSide
from infra.postgres.connection import Connection
from infra.postgres.partitions import PARTITIONED
from infra.postgres.repositories.market_data import BATCH_ROWS, PostgresMarketData
from tests.support.trading import BTC, ETH

JANUARY = datetime(2024, 1, 31, 23, 58, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
async def market_data(connection: Connection) -> PostgresMarketData:
    repository = PostgresMarketData(connection)
    await repository.ensure_candle_partitions(JANUARY, JANUARY + timedelta(days=20))
    return repository


def _market(symbol: MarketSymbol, **changes: object) -> Market:
    base, quote = symbol.symbol.split("/")
    step = Decimal("0.00001")
    market = Market(symbol, base, quote, True, step, step, step, None, None, Decimal("0.001"), Decimal("0.001"))
    return replace(market, **changes)  # type: ignore[arg-type]


def _candle(minute: int, **changes: object) -> Candle:
    price = Decimal("42000.10")
    opened = JANUARY + minute * MINUTE
    candle = Candle(BTC, Timeframe.M1, opened, price, price + 2, price - 1, price + minute, Decimal("0.5"), closed=True)
    return replace(candle, **changes)  # type: ignore[arg-type]


async def test_markets_come_back_as_they_were_stored_in_the_order_of_their_symbols(
    market_data: PostgresMarketData,
) -> None:
    full = _market(
        BTC,
        maximum_quantity=Decimal(9_000),
        maximum_market_quantity=Decimal(120),
        minimum_market_quantity=Decimal("0.001"),
        notional_at_market=False,
        maker_fee=None,
        minimum_notional=Decimal("5.00"),
        active=False,
    )
    mirror = _market(MarketSymbol("sandbox-binance", "AAA/USDT"))
    bare = _market(ETH)
    await market_data.save_markets([mirror, bare, full])
    assert await market_data.markets() == [full, bare, mirror]


async def test_a_market_that_its_venue_no_longer_names_becomes_inactive(market_data: PostgresMarketData) -> None:
    other = _market(MarketSymbol("kraken", "BTC/EUR"))
    await market_data.save_markets([_market(BTC), _market(ETH), other])
    changed = _market(ETH, taker_fee=Decimal("0.002"), minimum_notional=Decimal(1))
    await market_data.save_markets([changed])
    assert await market_data.markets() == [other, _market(BTC, active=False), changed]
    await market_data.save_markets([_market(BTC), changed])
    await market_data.save_markets([])
    assert await market_data.markets() == [other, _market(BTC), changed]


async def test_candles_come_back_closed_and_oldest_first(market_data: PostgresMarketData) -> None:
    candles = [_candle(minute) for minute in range(4)]  # from January into February
    await market_data.upsert_candles([*candles[::-1], _candle(4, closed=False)])
    assert await market_data.candles(BTC, Timeframe.M1, TimeKeysetPage(10)) == candles
    assert await market_data.candles(BTC, Timeframe.M5, TimeKeysetPage(10)) == []
    assert await market_data.candles(ETH, Timeframe.M1, TimeKeysetPage(10)) == []


@pytest.mark.parametrize("timeframe", Timeframe)
async def test_candles_of_every_timeframe_are_stored_and_their_gaps_found(
    market_data: PostgresMarketData, timeframe: Timeframe
) -> None:
    first, step = timeframe.open_time(JANUARY + timedelta(days=5)), timeframe.duration
    kept = [_candle(0, timeframe=timeframe, open_time=first + number * step) for number in (0, 2)]
    await market_data.upsert_candles(kept)
    assert await market_data.candles(BTC, timeframe, TimeKeysetPage(10)) == kept
    gaps = await market_data.candle_gaps(BTC, timeframe, first, first + 3 * step)
    assert gaps == [(first + step, first + 2 * step)]


async def test_a_corrected_candle_replaces_the_one_before(market_data: PostgresMarketData) -> None:
    corrected = _candle(1, close=Decimal("42001.5"), volume=Decimal(9))
    await market_data.upsert_candles([_candle(0), _candle(1)])
    await market_data.upsert_candles([corrected])
    await market_data.upsert_candles([_candle(2, volume=Decimal(8)), _candle(2)])
    stored = await market_data.candles(BTC, Timeframe.M1, TimeKeysetPage(10))
    assert stored == [_candle(0), corrected, _candle(2)]


async def test_a_candle_that_was_built_here_is_stored_only_where_none_is(market_data: PostgresMarketData) -> None:
    own = _candle(1, close=Decimal("42001.5"), volume=Decimal(9))
    await market_data.upsert_candles([own])
    await market_data.insert_candles([_candle(0), _candle(1), _candle(2, closed=False)])
    await market_data.insert_candles([_candle(0, volume=Decimal(8))])
    assert await market_data.candles(BTC, Timeframe.M1, TimeKeysetPage(10)) == [_candle(0), own]


async def test_gaps_are_the_stretches_that_no_candle_covers(market_data: PostgresMarketData) -> None:
    def at(minute: int) -> datetime:
        return JANUARY + minute * MINUTE

    async def gaps(start: int, end: int) -> list[tuple[datetime, datetime]]:
        return await market_data.candle_gaps(BTC, Timeframe.M1, at(start), at(end))

    assert await gaps(0, 9) == [(at(0), at(9))]
    await market_data.upsert_candles([_candle(minute) for minute in (2, 3, 6)])
    await market_data.upsert_candles([replace(_candle(minute), market=ETH) for minute in range(9)])
    assert await gaps(0, 9) == [(at(0), at(2)), (at(4), at(6)), (at(7), at(9))]
    assert await gaps(2, 4) == []
    assert await gaps(3, 7) == [(at(4), at(6))]
    assert await gaps(5, 5) == []
    assert await market_data.candle_gaps(BTC, Timeframe.M5, at(0), at(5)) == [(at(0), at(5))]


async def test_trades_of_months_before_find_room_once_it_was_made(market_data: PostgresMarketData) -> None:
    made = await market_data.ensure_trade_partitions(JANUARY, JANUARY + 5 * MINUTE)
    assert sorted(made) == [f"{table}_2024_{month}" for table in ("minute_volumes", "trades") for month in ("01", "02")]
    trade = _trade("1", JANUARY)
    await market_data.save_trades([trade])
    assert await market_data.trades(BTC, TimeKeysetPage(10)) == [trade]


async def test_candles_are_windowed_by_time_both_ways(market_data: PostgresMarketData) -> None:
    candles = [_candle(minute) for minute in range(8)]
    times = [candle.open_time for candle in candles]
    await market_data.upsert_candles(candles)

    async def found(limit: int, **page: object) -> list[Candle]:
        return await market_data.candles(BTC, Timeframe.M1, TimeKeysetPage(limit, **page))  # type: ignore[arg-type]

    assert await found(3) == candles[:3]
    assert await found(3, backwards=True) == candles[5:]
    assert await found(9, start=times[2], end=times[5]) == candles[2:5]
    assert await found(2, after=times[2]) == candles[3:5]
    assert await found(2, before=times[6], backwards=True) == candles[4:6]
    assert await found(9, start=times[1], after=times[3], before=times[5], end=times[7]) == candles[4:5]


async def test_more_candles_than_one_statement_takes_are_stored(market_data: PostgresMarketData) -> None:
    count = BATCH_ROWS + 5
    await market_data.upsert_candles([_candle(minute) for minute in range(count)])
    newest = await market_data.candles(BTC, Timeframe.M1, TimeKeysetPage(2, backwards=True))
    assert newest == [_candle(count - 2), _candle(count - 1)]


def _trade(venue_trade_id: str, at: datetime, **changes: object) -> Trade:
    return replace(Trade(BTC, venue_trade_id, at, Decimal("42000.10"), Decimal("0.001"), OrderSide.BUY), **changes)  # type: ignore[arg-type]


@pytest.fixture
async def now(market_data: PostgresMarketData, connection: Connection) -> datetime:
    """The database's time: this month's partitions are there."""
    present: datetime = await connection.fetchval("SELECT date_trunc('month', now()) + interval '1 day'")
    return present


async def test_trades_of_one_moment_are_ordered_and_paged_by_their_number(
    market_data: PostgresMarketData, now: datetime
) -> None:
    trades = [_trade(str(number), now) for number in (8, 9, 10, 11)]
    trades += [_trade("12", now + timedelta(milliseconds=1), side=OrderSide.SELL)]
    await market_data.save_trades(trades[::-1])

    async def found(limit: int, **page: object) -> list[Trade]:
        return await market_data.trades(BTC, TimeKeysetPage(limit, **page))  # type: ignore[arg-type]

    assert await found(9) == trades
    assert await found(2, backwards=True) == trades[3:]
    assert await found(2, after=now, after_id="9") == trades[2:4]
    assert await found(9, after=now, after_id="11") == trades[4:]
    assert await found(9, after=now) == trades[4:]
    assert await found(2, before=now, before_id="10", backwards=True) == trades[:2]
    assert await found(9, before=trades[4].at) == trades[:4]
    assert await found(9, start=now, end=trades[4].at) == trades[:4]
    assert await market_data.trades(ETH, TimeKeysetPage(9)) == []


async def test_a_trade_that_is_there_already_stays_as_it_is(market_data: PostgresMarketData, now: datetime) -> None:
    trade = _trade("1", now)
    await market_data.save_trades([trade, replace(trade, price=Decimal(2))])
    await market_data.save_trades([replace(trade, price=Decimal(1)), _trade("2", now)])
    assert await market_data.trades(BTC, TimeKeysetPage(9)) == [trade, _trade("2", now)]


async def test_depth_is_stored_compactly_and_once(
    market_data: PostgresMarketData, connection: Connection, now: datetime
) -> None:
    bids = (PriceLevel(Decimal("42000.10"), Decimal("0.5")), PriceLevel(Decimal("41999.90"), Decimal(2)))
    full = Depth(BTC, "e1", 2**40, bids, (), now - timedelta(milliseconds=3), now)
    bare = replace(full, sequence=2**40 + 1, venue_time=None)
    await market_data.save_depth([full, bare])
    await market_data.save_depth([full])
    rows = await connection.fetch("SELECT * FROM depth_snapshots ORDER BY sequence")
    assert [(row["market"], row["at"], row["epoch"], row["sequence"], row["venue_time"]) for row in rows] == [
        (str(BTC), now, "e1", full.sequence, full.venue_time),
        (str(BTC), now, "e1", bare.sequence, None),
    ]
    assert json.loads(rows[0]["bids"]) == [["42000.10", "0.5"], ["41999.90", "2"]]
    assert json.loads(rows[0]["asks"]) == []


async def test_nothing_to_store_is_no_mistake(market_data: PostgresMarketData) -> None:
    await market_data.upsert_candles([])
    await market_data.save_trades([])
    await market_data.save_depth([])
    assert await market_data.candles(BTC, Timeframe.M1, TimeKeysetPage(9)) == []


async def test_partitions_of_the_past_are_made_once(market_data: PostgresMarketData) -> None:
    start, end = datetime(2023, 11, 30, 23, 59, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC)
    made = await market_data.ensure_candle_partitions(start, end)
    assert made == ["candles_2023_11", "candles_2023_12"]
    assert await market_data.ensure_candle_partitions(start, end) == []


async def test_partitions_are_made_ahead_for_all_that_grows(market_data: PostgresMarketData) -> None:
    await market_data.ensure_partitions(6)
    made = await market_data.ensure_partitions(7)
    assert {name.rsplit("_", 2)[0] for name in made} == set(PARTITIONED)
    assert await market_data.ensure_partitions(7) == []
