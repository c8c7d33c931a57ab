import asyncio
from contextlib import aclosing
from decimal import Decimal
from itertools import pairwise

import pytest

from domain.core.money import is_multiple
from domain.model.depth import is_crossed
from domain.model.markets import Depth, MarketSymbol, Timeframe
from domain.ports.market_data import VenueGap, VenueUnreachable
from infra.venues.config import UnknownVenue
from infra.venues.registry import Venues
from tests.support.sandbox import SandboxProcess
from tests.support.venues import BTC


async def test_markets_have_the_filters_of_the_venue(venues: Venues, sandbox: SandboxProcess) -> None:
    markets = {market.symbol: market for market in await venues.public("sandbox").load_markets()}
    info = await sandbox.get("/api/v3/exchangeInfo")
    assert len(markets) == len(info["symbols"])
    (btc,) = (symbol for symbol in info["symbols"] if symbol["symbol"] == "BTCUSDT")
    filters = {rule["filterType"]: rule for rule in btc["filters"]}
    market = markets[BTC]
    assert market.price_increment == Decimal(filters["PRICE_FILTER"]["tickSize"])
    assert market.quantity_increment == Decimal(filters["LOT_SIZE"]["stepSize"])
    assert market.minimum_quantity == Decimal(filters["LOT_SIZE"]["minQty"])
    assert market.maximum_quantity == Decimal(filters["LOT_SIZE"]["maxQty"])
    assert market.minimum_notional == Decimal(filters["NOTIONAL"]["minNotional"])
    assert (market.base, market.quote, market.active) == ("BTC", "USDT", True)
    assert market.taker_fee == Decimal("0.001")
    assert market.maximum_market_quantity == Decimal(filters["MARKET_LOT_SIZE"]["maxQty"])


async def test_the_book_is_on_the_grid_ordered_and_never_crossed(venues: Venues) -> None:
    books = await _books(venues, 10)
    (market,) = (listed for listed in await venues.public("sandbox").load_markets() if listed.symbol == BTC)
    for book in books:
        assert 0 < len(book.bids) <= 100
        assert not is_crossed(book.bids, book.asks)
        assert [level.price for level in book.bids] == sorted((level.price for level in book.bids), reverse=True)
        assert [level.price for level in book.asks] == sorted(level.price for level in book.asks)
        assert all(is_multiple(level.price, market.price_increment) for level in book.bids + book.asks)
        assert all(is_multiple(level.quantity, market.quantity_increment) for level in book.bids + book.asks)
        assert all(level.quantity > 0 for level in book.bids + book.asks)
    sequences = [book.sequence for book in books]
    assert sequences == sorted(set(sequences))


async def test_the_book_is_the_one_that_the_venue_shows(venues: Venues, sandbox: SandboxProcess) -> None:
    await sandbox.inject_faults(silenceMarketStreams=False)
    async with aclosing(venues.public("sandbox").depth(BTC)) as stream:
        async with asyncio.timeout(60):
            async for book in stream:
                shown = await sandbox.get("/api/v3/depth?symbol=BTCUSDT&limit=100")
                if shown["lastUpdateId"] == book.sequence:
                    break
    assert [(level.price, level.quantity) for level in book.bids] == [
        (Decimal(price), Decimal(quantity)) for price, quantity in shown["bids"]
    ]
    assert [(level.price, level.quantity) for level in book.asks] == [
        (Decimal(price), Decimal(quantity)) for price, quantity in shown["asks"]
    ]


async def test_no_trade_is_lost_between_two_batches(venues: Venues) -> None:
    seen: list[int] = []
    async with aclosing(venues.public("sandbox").trades(BTC)) as stream, asyncio.timeout(60):
        async for batch in stream:
            seen += [int(trade.venue_trade_id) for trade in batch]
            if len(seen) >= 20:
                break
            await asyncio.sleep(0.05)
    assert seen == list(range(seen[0], seen[0] + len(seen)))


async def test_trades_on_request_have_the_ids_of_the_stream(venues: Venues) -> None:
    source = venues.public("sandbox")
    async with aclosing(source.trades(BTC)) as stream, asyncio.timeout(60):
        batch = await anext(stream)
    asked = {trade.venue_trade_id: trade for trade in await source.fetch_trades(BTC, 1000)}
    assert all(asked[trade.venue_trade_id] == trade for trade in batch)


async def test_the_ticker_has_the_last_price_and_the_day(venues: Venues) -> None:
    async with aclosing(venues.public("sandbox").tickers(BTC)) as stream, asyncio.timeout(60):
        ticker = await anext(stream)
    assert ticker.last is not None
    assert ticker.last > 0
    assert ticker.volume_24h is not None


@pytest.mark.parametrize("timeframe", list(Timeframe))
async def test_candles_are_contiguous_and_only_the_last_may_be_forming(venues: Venues, timeframe: Timeframe) -> None:
    source = venues.public("sandbox")
    await source.load_markets()
    asked_at = source.venue_now()
    candles = await source.fetch_candles(BTC, timeframe, None, 300)
    assert len(candles) == 300
    assert all(candle.open_time == timeframe.open_time(candle.open_time) for candle in candles)
    for before, after in pairwise(candles):
        assert after.open_time == before.close_time
        assert before.closed or before.close_time > asked_at, "it had ended when it was asked for"
    assert all(candle.low <= min(candle.open, candle.close) for candle in candles)


@pytest.mark.parametrize("timeframe", [Timeframe.M30, Timeframe.H4, Timeframe.W1])
async def test_candles_that_the_venue_lacks_are_made_of_shorter_ones(venues: Venues, timeframe: Timeframe) -> None:
    source = venues.public("sandbox")
    own = await source.fetch_candles(BTC, timeframe, None, 40)
    offered = venues.connection("sandbox").public.timeframes
    del offered[timeframe.venue_name]
    assert await source.fetch_candles(BTC, timeframe, own[0].open_time, 39) == own[:39]
    newest = await source.fetch_candles(BTC, timeframe, None, 40)
    # Another candle may have begun since.
    assert [candle for candle in newest[:-1] if candle.open_time < own[-1].open_time] == [
        candle for candle in own[:-1] if candle.open_time >= newest[0].open_time
    ]
    assert newest[-1].open_time >= own[-1].open_time
    assert not newest[-1].closed
    for missing in Timeframe:
        offered.pop(missing.venue_name, None)
    with pytest.raises(VenueUnreachable, match=f"sandbox has no {timeframe.venue_name} candles, nor shorter ones"):
        await source.fetch_candles(BTC, timeframe, None, 40)


async def test_weeks_that_a_venue_begins_on_thursdays_are_made_of_its_days(venues: Venues) -> None:
    source = venues.public("sandbox")
    own = await source.fetch_candles(BTC, Timeframe.W1, None, 10)
    exchange = venues.connection("sandbox").public
    fetch = exchange.fetch_ohlcv

    async def thursdays(symbol: str, timeframe: str, *rest: object) -> list[list[float]]:
        rows = await fetch(symbol, timeframe, *rest)
        late = 3 * 86_400_000 if timeframe == "1w" else 0
        return [[row[0] + late, *row[1:]] for row in rows]

    exchange.fetch_ohlcv = thursdays
    assert await source.fetch_candles(BTC, Timeframe.W1, own[0].open_time, 9) == own[:9]
    assert (await source.fetch_candles(BTC, Timeframe.D1, None, 3))[-1].timeframe is Timeframe.D1


async def test_candles_from_a_start_begin_there(venues: Venues) -> None:
    source = venues.public("sandbox")
    newest = await source.fetch_candles(BTC, Timeframe.M1, None, 10)
    asked = await source.fetch_candles(BTC, Timeframe.M1, newest[0].open_time, 5)
    assert asked == newest[:5]


async def test_the_venues_time_is_kept_by_its_clock(venues: Venues, sandbox: SandboxProcess) -> None:
    await sandbox.inject_faults(driftMs=3_600_000)
    source = venues.public("sandbox")
    await source.load_markets()
    before = (await sandbox.get("/api/v3/time"))["serverTime"]
    here = source.venue_now()
    after = (await sandbox.get("/api/v3/time"))["serverTime"]
    unknown = venues.connection("sandbox").clock.round_trip_seconds * 1000 + 2
    assert before - unknown <= here.timestamp() * 1000 <= after + unknown


async def test_streams_that_the_venue_cuts_report_it(venues: Venues, sandbox: SandboxProcess) -> None:
    async with aclosing(venues.public("sandbox").depth(BTC)) as stream, asyncio.timeout(60):
        await anext(stream)
        await sandbox.inject_faults(dropMarketStreams=True)
        with pytest.raises((VenueUnreachable, VenueGap)):
            async for _ in stream:
                pass
    assert (await _books(venues, 1))[0].bids


async def test_a_stream_that_is_closed_is_unsubscribed_and_can_be_opened_again(venues: Venues) -> None:
    before = await _books(venues, 2)
    clients = venues.connection("sandbox").public.clients.values()
    assert not [key for client in clients for key in client.subscriptions]
    after = await _books(venues, 3)
    assert after[2].sequence > before[1].sequence


async def test_an_unknown_market_is_not_there(venues: Venues) -> None:
    with pytest.raises(VenueUnreachable, match="no market"):
        await anext(venues.public("sandbox").depth(MarketSymbol("sandbox", "NO/SUCH")))


async def test_an_unknown_venue_is_named(venues: Venues) -> None:
    with pytest.raises(UnknownVenue, match="R3EDGE_VENUES"):
        venues.public("nowhere")


async def test_a_venue_that_is_away_is_unreachable_and_found_when_it_is_back(
    venues: Venues, sandbox: SandboxProcess
) -> None:
    await sandbox.kill()
    with pytest.raises(VenueUnreachable):
        await venues.public("sandbox").load_markets()
    await sandbox.start()
    assert await venues.public("sandbox").load_markets()


async def _books(venues: Venues, count: int) -> list[Depth]:
    books: list[Depth] = []
    async with aclosing(venues.public("sandbox").depth(BTC)) as stream, asyncio.timeout(60):
        async for book in stream:
            books.append(book)
            if len(books) == count:
                break
    return books
