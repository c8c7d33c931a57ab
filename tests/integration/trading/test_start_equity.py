"""A session's start equity: its reports start from there, so the session waits for the prices."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal

from domain.market_data import codec
from domain.market_data.topics import depth_topic, status_topic
from domain.model.markets import Depth, FeedState, FeedStatus, MarketSymbol
from domain.model.trading import Balance
from domain.trading.dependencies import TradingTimings
from tests.support.orders import a_market
from tests.support.trading_node import TradingNode, strategy
from tests.support.waiting import PATIENCE_SECONDS

SOL = MarketSymbol("sandbox", "SOL/USDT")


async def test_a_session_waits_for_the_price_of_what_the_account_holds(node: TradingNode) -> None:
    await node.trader.close()
    await node.restart(timings=TradingTimings(price_wait=60))
    holdings = tuple(Balance(name, Decimal(100), Decimal(100)) for name in ("USDT", "SOL"))
    account = await node.account(balances=holdings)
    starting = asyncio.create_task(node.session(account, strategy()))
    book = await _book(node)
    while not starting.done():
        await _publish(node, book)
        await asyncio.sleep(0.1)
    session = await starting
    assert session.start_equity == 100 + 100 * (book.bids[0].price + book.asks[0].price) / 2


async def test_a_session_begins_without_a_price_that_never_comes(node: TradingNode) -> None:
    await node.trader.close()
    await node.restart(timings=TradingTimings(price_wait=0.5))
    holdings = tuple(Balance(name, Decimal(100), Decimal(100)) for name in ("USDT", "SOL"))
    session = await node.session(await node.account(balances=holdings), strategy())
    assert session.status.value == "RUNNING"
    assert session.start_equity is None


async def test_a_session_waits_for_no_price_of_a_market_that_is_delisted(node: TradingNode) -> None:
    await node.trader.close()
    await node.restart(timings=TradingTimings(price_wait=10 * PATIENCE_SECONDS))
    delisted = a_market(symbol=MarketSymbol("sandbox", "LUNA/USDT"), base="LUNA", active=False)
    async with node.database.transaction() as transaction:
        await transaction.market_data.save_markets([*await transaction.market_data.markets(), delisted])
    await node.hub.catalogue.refresh()
    account = await node.account(balances=(Balance("USDT", Decimal(100), Decimal(100)),))
    async with node.database.transaction() as transaction:
        held = [Balance("USDT", Decimal(100), Decimal(100)), Balance("LUNA", Decimal(5), Decimal(5))]
        await transaction.accounts.replace_balances(account.id, held)
    session = await node.session(account, strategy())
    assert (session.status.value, session.start_equity) == ("RUNNING", 100)


async def _book(node: TradingNode) -> Depth:
    async with aclosing(node.venues.public("sandbox").depth(SOL)) as books:
        return await anext(books)


async def _publish(node: TradingNode, book: Depth) -> None:
    await node.bus.publish(status_topic(SOL), codec.encode_status(FeedStatus(SOL, FeedState.LIVE, datetime.now(UTC))))
    await node.bus.publish(depth_topic(SOL), codec.encode_depth(book))
