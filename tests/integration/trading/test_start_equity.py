"""What the account was worth when a session began: its reports begin there, so it is waited for."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from domain.markets import codec
from domain.markets.topics import depth_topic, status_topic
from domain.markets.types import Depth, FeedState, FeedStatus, MarketSymbol
from domain.trading.types import Balance
from tests.support.trading_node import TradingNode, strategy

SOL = MarketSymbol("sandbox", "SOL/USDT")


async def test_a_session_waits_for_the_price_of_what_the_account_holds(
    node: TradingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.trading.session_runner.PRICES_SECONDS", 60)
    holdings = tuple(Balance(name, Decimal(100), Decimal(100)) for name in ("USDT", "SOL"))
    account = await node.account(balances=holdings)
    starting = asyncio.create_task(node.session(account, strategy()))
    book = await _book(node)
    while not starting.done():
        await _tell(node, book)
        await asyncio.sleep(0.1)
    session = await starting
    assert session.start_equity == 100 + 100 * (book.bids[0].price + book.asks[0].price) / 2


async def test_a_session_begins_without_a_price_that_never_comes(
    node: TradingNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.trading.session_runner.PRICES_SECONDS", 0.5)
    holdings = tuple(Balance(name, Decimal(100), Decimal(100)) for name in ("USDT", "SOL"))
    session = await node.session(await node.account(balances=holdings), strategy())
    assert session.status.value == "RUNNING"
    assert session.start_equity is None


async def _book(node: TradingNode) -> Depth:
    async with aclosing(node.venues.public("sandbox").depth(SOL)) as books:
        return await anext(books)


async def _tell(node: TradingNode, book: Depth) -> None:
    await node.bus.publish(status_topic(SOL), codec.encode_status(FeedStatus(SOL, FeedState.LIVE, datetime.now(UTC))))
    await node.bus.publish(depth_topic(SOL), codec.encode_depth(book))
