"""Lists of markets, and streams of many of them, by the public API."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from graphql import ExecutionResult

from domain.market_data import codec
from domain.market_data.topics import FEED_DEMAND, status_topic, ticker_topic
from domain.model.markets import FeedState, FeedStatus, MarketSymbol, Ticker
from resolvers.ids import encode_id
from schema.common.errors import public_error
from tests.support.api import SCHEMA, Api
from tests.support.orders import BTC, a_market
from tests.support.waiting import eventually

PAGE = "totalCount nodes { symbol } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
LIST = f"""query($first: Int, $after: String, $last: Int, $before: String, $by: MarketOrder! = SYMBOL, $quote: String,
  $base: String, $venue: String, $active: Boolean, $search: String, $symbols: [MarketSymbol!]) {{
  markets(first: $first, after: $after, last: $last, before: $before, orderBy: $by, quote: $quote, base: $base,
    venue: $venue, active: $active, search: $search, symbols: $symbols) {{ {PAGE} }} }}"""
COINS, QUOTES = 130, ("EUR", "USDT")
TICKERS = "subscription($markets: [MarketSymbol!]!) { tickers(markets: $markets) { market { symbol } last high24h } }"
FEEDS = "subscription($markets: [MarketSymbol!]!) { marketFeeds(markets: $markets) { market { symbol } state } }"


@pytest.fixture
async def many(api: Api) -> Api:
    """An API over 521 markets: 130 coins in two quotes on two venues, of which every tenth isn't traded."""
    markets = [
        a_market(symbol=MarketSymbol(venue, f"C{n:03}/{quote}"), base=f"C{n:03}", quote=quote, active=n % 10 != 0)
        for venue in ("alpha", "alpha-2")
        for n in range(COINS)
        for quote in ("USDT", "EUR")
    ]
    async with api.database.transaction() as transaction:
        await transaction.market_data.save_markets(markets)
    await api.services.markets.catalogue.refresh()
    return api


async def listed(api: Api, **given: object) -> dict[str, Any]:
    return (await api.run(LIST, **given))["markets"]


async def all_pages(api: Api, *, forwards: bool, **given: object) -> list[str]:
    found: list[str] = []
    cursor = None
    while True:
        size = {"first": 100, "after": cursor} if forwards else {"last": 100, "before": cursor}
        page = await listed(api, **size, **given)
        symbols = [node["symbol"] for node in page["nodes"]]
        found = found + symbols if forwards else symbols + found
        info = page["pageInfo"]
        cursor = info["endCursor"] if forwards else info["startCursor"]
        if not info["hasNextPage" if forwards else "hasPreviousPage"]:
            assert page["totalCount"] == len(found)
            return found


async def test_hundreds_of_markets_are_paged_both_ways_in_both_orders_under_every_filter(many: Api) -> None:
    everything = [str(market.symbol) for market in many.services.markets.catalogue.all()]
    assert len(everything) == 4 * COINS + 1
    for given, expected in (
        ({}, everything),
        ({"quote": "eur"}, [symbol for symbol in everything if symbol.endswith("/EUR")]),
        ({"venue": "alpha"}, [symbol for symbol in everything if symbol.startswith("alpha:")]),
        ({"venue": "alpha", "active": False}, [f"alpha:C{n:03}/{q}" for n in range(0, COINS, 10) for q in QUOTES]),
        ({"base": "c007", "active": True}, [f"{v}:C007/{q}" for v in ("alpha", "alpha-2") for q in QUOTES]),
        ({"search": " c12", "quote": "USDT", "venue": "alpha-2"}, [f"alpha-2:C12{n}/USDT" for n in range(10)]),
        ({"venue": "nowhere"}, []),
    ):  # fmt: skip
        for forwards in (True, False):
            assert await all_pages(many, forwards=forwards, **given) == expected, given
            descending = await all_pages(many, forwards=forwards, by="SYMBOL_DESCENDING", **given)
            assert descending == expected[::-1], given


async def test_named_markets_are_found_each_once_and_those_that_do_not_exist_are_left_out(many: Api) -> None:
    symbols = ["alpha:C002/EUR", "alpha:NO/SUCH", str(BTC), "alpha:C001/EUR", "alpha:C002/EUR"]
    page = await listed(many, symbols=symbols)
    assert [node["symbol"] for node in page["nodes"]] == ["alpha:C001/EUR", "alpha:C002/EUR", str(BTC)]
    assert page["totalCount"] == 3
    assert [node["symbol"] for node in (await listed(many, symbols=symbols, quote="USDT"))["nodes"]] == [str(BTC)]
    assert (await listed(many, symbols=[]))["nodes"] == []
    assert (await listed(many, symbols=[f"alpha:C{n:03}/EUR" for n in range(500)]))["totalCount"] == COINS
    assert await many.code(LIST, symbols=[str(BTC)] * 501) == "INVALID"


async def test_a_cursor_stays_good_when_its_market_is_no_longer_listed_and_is_refused_in_another_order(
    many: Api,
) -> None:
    cursor = (await listed(many, first=5))["pageInfo"]["endCursor"]  # at C002/EUR
    page = await listed(many, first=1, after=cursor, quote="USDT")
    assert [node["symbol"] for node in page["nodes"]] == ["alpha:C002/USDT"]
    assert page["pageInfo"]["hasPreviousPage"] is True
    assert await many.code(LIST, after=cursor, by="SYMBOL_DESCENDING") == "INVALID"
    assert await many.code(LIST, after="x") == "INVALID"


async def test_the_quote_currencies_of_traded_markets_are_listed_by_how_many_there_are(many: Api) -> None:
    traded = [market for market in many.services.markets.catalogue.all() if market.active]
    counts = Counter(market.quote for market in traded)
    found = (await many.run('{ all: quoteCurrencies none: quoteCurrencies(venue: "nowhere") }'))["all"]
    assert set(found) == set(counts)
    assert [counts[quote] for quote in found] == sorted(counts.values(), reverse=True)
    assert (await many.run('{ none: quoteCurrencies(venue: "nowhere") }'))["none"] == []


async def test_a_venue_lists_its_own_markets(many: Api) -> None:
    query = (
        'query($id: ID!) { node(id: $id) { ... on Venue { markets(quote: "USDT") { totalCount nodes { symbol } } } } }'
    )
    venue = (await many.run(query, id=encode_id("Venue", "sandbox")))["node"]
    assert venue["markets"] == {"totalCount": 1, "nodes": [{"symbol": str(BTC)}]}


def a_ticker(market: MarketSymbol, last: object) -> Ticker:
    price = Decimal(str(last))
    return Ticker(market, datetime.now(UTC), None, None, price, None, None, price + 1, price - 1, Decimal(9))


async def published(api: Api, *tickers: Ticker) -> None:
    for ticker in tickers:
        await api.harness.bus.publish(ticker_topic(ticker.market), codec.encode_ticker(ticker))
    await asyncio.sleep(0)


def are_read(api: Api, markets: Sequence[MarketSymbol], readers: str) -> bool:
    """Return whether somebody reads each of the markets."""
    states = [api.services.markets.followed.get(market) for market in markets]
    return all(state is not None and getattr(state, readers) for state in states)


@pytest.fixture
async def demanded(api: Api) -> AsyncIterator[list[str]]:
    """The markets whose feeds are asked for."""
    demands: list[str] = []
    subscription = await api.harness.bus.subscribe(FEED_DEMAND, lambda message: demands.append(message.decode()))
    yield demands
    await subscription.close()


async def test_the_tickers_of_many_markets_come_in_one_stream(many: Api, demanded: list[str]) -> None:
    markets = [MarketSymbol("alpha", f"C{n:03}/EUR") for n in range(COINS)]
    names = [str(market) for market in markets]
    async with await many.subscribe(TICKERS, markets=[*names, names[0]]) as stream:
        first = asyncio.ensure_future(stream.next())
        await eventually(lambda: are_read(many, markets, "ticker_queues"), "the tickers are read")
        await eventually(lambda: len(demanded) >= COINS, "the feeds are asked for")
        assert sorted(demanded) == names
        await published(many, *(a_ticker(market, 1) for market in markets), a_ticker(BTC, 1))
        events = [await first, *(await stream.take(COINS - 1))]
        assert [event["tickers"]["market"]["symbol"] for event in events] == names
        await published(many, a_ticker(markets[5], 2), a_ticker(markets[3], 3), a_ticker(markets[5], 4))
        newest = {event["tickers"]["market"]["symbol"]: event["tickers"] for event in await stream.take(2)}
        assert newest[names[5]] == {"market": {"symbol": names[5]}, "last": "4", "high24h": "5"}
        assert newest[names[3]]["last"] == "3"
    followed = {state.market: state for state in many.services.markets.followed.states}
    assert not any(followed[market].ticker_queues for market in markets)
    assert not any(followed[market].subscriber_count for market in markets)


async def test_a_stream_of_many_markets_is_refused_if_one_is_unknown_or_there_are_too_many(api: Api) -> None:
    for query in (TICKERS, FEEDS):
        assert await api.refused(query, markets=[str(BTC), "sandbox:NO/SUCH"]) == "NOT_FOUND"
        assert await api.refused(query, markets=[str(BTC)] * 501) == "INVALID"
        assert await api.refused(query, markets=[]) == "INVALID"
        assert await api.refused(query, markets=["nonsense"]) == "INVALID"


async def test_the_unknown_markets_are_named(api: Api) -> None:
    message = await message_of(api, [str(BTC), "sandbox:NO/SUCH", *(f"sandbox:N{n}/X" for n in range(400))])
    assert message.startswith("There is no market sandbox:NO/SUCH. There is no market sandbox:N0/X.")
    assert len(message) < 1000


async def message_of(api: Api, markets: list[str]) -> str:
    results = await SCHEMA.subscribe(TICKERS, {"markets": markets}, api.context(None))
    result = results if isinstance(results, ExecutionResult) else await anext(results)
    return public_error(result.errors[0])["message"]


async def test_the_states_of_feeds_come_in_one_stream_and_stand_at_the_market(many: Api) -> None:
    eth = MarketSymbol("alpha", "C001/EUR")
    query = "query($symbol: MarketSymbol!) { market(symbol: $symbol) { feed { state since } } }"
    assert (await many.run(query, symbol=str(BTC)))["market"] == {"feed": None}

    async def expect_state(market: MarketSymbol, state: FeedState) -> None:
        status = FeedStatus(market, state, datetime(2020, 1, 1, tzinfo=UTC))
        await many.harness.bus.publish(status_topic(market), codec.encode_status(status))
        await asyncio.sleep(0)

    async with await many.subscribe(FEEDS, markets=[str(BTC), str(eth)]) as stream:
        first = asyncio.ensure_future(stream.next())
        await eventually(lambda: are_read(many, [BTC, eth], "status_queues"), "the states are read")
        await expect_state(BTC, FeedState.LIVE)
        assert (await first)["marketFeeds"] == {"market": {"symbol": str(BTC)}, "state": "LIVE"}
        await expect_state(BTC, FeedState.LIVE)  # published again, which changes nothing
        await expect_state(eth, FeedState.RECONNECTING)
        await expect_state(BTC, FeedState.STALE)
        events = [event["marketFeeds"] for event in await stream.take(2)]
        assert [(event["market"]["symbol"], event["state"]) for event in events] == [
            (str(eth), "RECONNECTING"), (str(BTC), "STALE"),
        ]  # fmt: skip
        feed = (await many.run(query, symbol=str(BTC)))["market"]["feed"]
        assert feed == {"state": "STALE", "since": "2020-01-01T00:00:00Z"}


async def test_a_ticker_has_the_day_and_one_of_an_older_node_leaves_out_what_it_lacks() -> None:
    full = a_ticker(BTC, 5)
    assert codec.decode_ticker(codec.encode_ticker(full)) == full
    parts = msgspec.msgpack.decode(codec.encode_ticker(full))
    older = msgspec.msgpack.encode(parts[:7])
    lacking = replace(full, high_24h=None, low_24h=None, quote_volume_24h=None)
    assert codec.decode_ticker(older) == lacking
