"""How many markets clients have followed: strangers fewer than users, and nobody so many that trading suffers."""

import pytest

from domain.market_data.feed_limit import COLLECTED_AFTER_SECONDS, IN_USE_SECONDS, FeedLimit, FeedReader
from domain.market_data.topics import FEED_DEMAND
from domain.model.markets import MarketSymbol
from tests.support.api import Api
from tests.support.clocks import ManualClock
from tests.support.orders import BTC, a_market

COINS = [MarketSymbol("sandbox", f"C{number}/USDT") for number in range(12)]
ELSEWHERE = [MarketSymbol("elsewhere", f"C{number}/USDT") for number in range(12)]
TICKERS = "subscription($markets: [MarketSymbol!]!) { tickers(markets: $markets) { last } }"
ALL_OF_ONE = """query($symbol: MarketSymbol!) { market(symbol: $symbol) {
  ticker { last } depth { sequence } trades { nodes { price } } } }"""


@pytest.fixture
async def narrow(api: Api) -> Api:
    """An API that follows six markets for users and two for strangers, with the demands of its hub noted."""
    markets = [a_market(symbol=symbol) for symbol in COINS + ELSEWHERE]
    async with api.database.transaction() as transaction:
        await transaction.market_data.save_markets(markets)
    hub = api.services.markets
    await hub.catalogue.refresh()
    hub._limit = FeedLimit(api.database, api.harness.clock, 8)
    return api


async def demands_of(api: Api) -> set[str]:
    demands: set[str] = set()
    await api.harness.bus.subscribe(FEED_DEMAND, lambda message: demands.add(message.decode()))
    return demands


async def test_a_stranger_cannot_have_any_number_of_markets_followed(narrow: Api) -> None:
    demands = await demands_of(narrow)
    stranger = narrow.context(None)
    assert await narrow.refused(TICKERS, stranger, markets=[str(coin) for coin in COINS]) == "RATE_LIMITED"
    assert demands == set(), "a list that is too long starts none of its feeds"

    limit = narrow.services.markets._limit
    assert limit.try_acquire(COINS[:2], FeedReader.ANONYMOUS)
    for symbol in COINS[2:]:
        found = (await narrow.run(ALL_OF_ONE, stranger, symbol=str(symbol)))["market"]
        assert found == {"ticker": None, "depth": None, "trades": {"nodes": []}}
        streams = (
            "ticker(market: $m) { last }",
            "marketDepth(market: $m) { __typename }",
            "trades(market: $m) { dropped }",
            "candles(market: $m, timeframe: M1) { open }",
        )
        for stream in streams:
            query = f"subscription($m: MarketSymbol!) {{ {stream} }}"
            assert await narrow.refused(query, stranger, m=str(symbol)) == "RATE_LIMITED", stream
    assert demands == set()


async def test_strangers_leave_users_their_own_share_and_the_engine_is_never_refused(narrow: Api) -> None:
    limit = FeedLimit(narrow.database, ManualClock(), 8)
    assert limit.try_acquire(COINS[:2], FeedReader.ANONYMOUS)
    assert not limit.try_acquire(COINS[2:3], FeedReader.ANONYMOUS)
    assert limit.try_acquire(COINS[2:8], FeedReader.USER)
    assert not limit.try_acquire(COINS[8:9], FeedReader.USER)
    assert limit.try_acquire(COINS[8:], FeedReader.ENGINE)
    assert limit.try_acquire(COINS[8:], FeedReader.ANONYMOUS), "what the engine follows anyway counts for nobody"
    assert limit.try_acquire(ELSEWHERE[:2], FeedReader.ANONYMOUS), "each venue has its own number"
    assert limit.try_acquire(COINS[:2], FeedReader.ANONYMOUS), "what is followed already is no more by another reader"


async def test_a_market_counts_for_as_long_as_it_is_collected_after_its_last_reader(narrow: Api) -> None:
    clock = ManualClock()
    limit = FeedLimit(narrow.database, clock, 8)
    for _ in range(3):
        assert limit.try_acquire(COINS[:2], FeedReader.ANONYMOUS)
        limit.release(COINS[:2], FeedReader.ANONYMOUS)
        assert not limit.try_acquire(COINS[2:3], FeedReader.ANONYMOUS)
    clock.move(COLLECTED_AFTER_SECONDS + 1)
    assert limit.try_acquire(COINS[2:4], FeedReader.ANONYMOUS)
    assert not limit.try_acquire(COINS[:1], FeedReader.ANONYMOUS)


async def test_a_market_in_which_something_is_traded_is_shown_to_everybody(narrow: Api) -> None:
    clock = ManualClock()
    limit = FeedLimit(narrow.database, clock, 8)
    assert limit.try_acquire(COINS[:2], FeedReader.ANONYMOUS)
    for _ in range(2):
        with pytest.raises(Exception, match="Too many markets of sandbox are followed already"):
            async with limit.admit([BTC], FeedReader.ANONYMOUS):
                pass
    await narrow.stored(narrow.floor_order(market=BTC))
    clock.move(IN_USE_SECONDS + 1)
    async with limit.admit([BTC], FeedReader.ANONYMOUS):
        assert not limit.try_acquire(COINS[2:3], FeedReader.ANONYMOUS)
