"""Every document of the API guide that has an answer beside it runs, and answers in the form that the guide shows."""

import asyncio
import json
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.market_data import codec
from domain.market_data.topics import candles_topic, depth_topic, status_topic, ticker_topic, trades_topic
from domain.model.markets import (
    Candle,
    Depth,
    FeedState,
    FeedStatus,
    MarketSymbol,
    PriceLevel,
    Ticker,
    Timeframe,
    Trade,
)
from domain.model.order_side import OrderSide
from domain.model.orders import OrderStatus
from domain.trading.halts import HaltRequest
from infra.postgres.partitions import ensure_months
from tests.support.api import Api
from tests.support.orders import a_market

GUIDE = (Path(__file__).parents[3] / "docs" / "api.md").read_text()
EXAMPLES = re.findall(r"^```graphql\n(.*?)^```\n\n```json\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE)
QUERIES = [(document, answer) for document, answer in EXAMPLES if not document.startswith("subscription")]
STREAMS = [(document, answer) for document, answer in EXAMPLES if document.startswith("subscription")]

BTC = MarketSymbol("sandbox", "BTC/USDT")
DOCUMENTED_DAY = date(2026, 11, 22)
"""The day of all documented answers; here it is today, since a trend and the books are of the present."""
DAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
ONE, STEP = Decimal(1), Decimal("0.01")


def candles_of(timeframe: Timeframe, count: int) -> list[Candle]:
    """Return candles up to the end of the documented hour, each a step higher than the one before."""
    end = timeframe.open_time(DAY + timedelta(hours=22))
    return [
        Candle(
            BTC, timeframe, end - number * timeframe.duration, price, price + ONE, price - ONE, price + STEP, ONE, True
        )
        for number in range(count, 0, -1)
        for price in (Decimal(61_000 + number % 7),)
    ]


def trades_of(minutes: Sequence[int]) -> list[Trade]:
    """Return two trades in each of the minutes after 21:00 of the documented day, as much as its candle has."""
    begun = DAY + timedelta(hours=21)
    half, sides = Decimal("0.5"), tuple(OrderSide)
    return [
        Trade(BTC, str(2 * minute + n), begun + timedelta(minutes=minute, seconds=n), 61_000 + half + n, half, sides[n])
        for minute in minutes
        for n in (0, 1)
    ]


def a_book(number: int, at: datetime) -> Depth:
    bids = tuple(PriceLevel(Decimal(61_000 - n), ONE) for n in range(20))
    asks = tuple(PriceLevel(Decimal(61_001 + n), ONE) for n in range(20))
    return Depth(BTC, "epoch", number, bids, asks, at, at)


@pytest.fixture
async def documented(api: Api) -> Api:
    """An API over a database with the documented day's history."""
    async with api.database.transaction() as transaction:
        market_data = transaction.market_data
        await market_data.save_markets([a_market(), a_market(symbol=MarketSymbol("sandbox", "ETH/USDT"), base="ETH")])
        for timeframe in (Timeframe.M1, Timeframe.M5, Timeframe.H1):
            candles = candles_of(timeframe, 600)
            await market_data.ensure_candle_partitions(candles[0].open_time, candles[-1].open_time)
            await market_data.upsert_candles(candles)
        for table in ("trades", "minute_volumes", "depth_snapshots"):
            await ensure_months(transaction._connection, table, DAY, DAY)
        await market_data.save_trades(trades_of(range(13, 33)))
        books = [DAY + timedelta(hours=21, minutes=15, seconds=10 * number) for number in range(20)]
        await market_data.save_depth([a_book(number, at) for number, at in enumerate(books)])
        order = api.floor_order(status=OrderStatus.FILLED)
        await transaction.orders.add(order)
        await transaction.orders.add_fill(api.fill_of(order))
        await transaction.positions.save(api.position(quantity=ONE, average_price=Decimal(61_000)))
    await api.services.markets.catalogue.refresh()
    halt = HaltRequest(reduce_only=True, reason="lunch")
    await api.services.halts.set_halt_of_account(api.harness.user.id, api.harness.account.id, halt)
    return api


def as_of_today(document: str) -> str:
    """Return a documented query with all of its dates moved by as much as today is from the documented day."""

    def moved(found: re.Match[str]) -> str:
        return (date.fromisoformat(found[0]) + (DAY.date() - DOCUMENTED_DAY)).isoformat()

    return re.sub(r"\b\d{4}-\d\d-\d\d(?=T)", moved, document)


def parse_answer(text: str) -> Any:
    """Return a documented answer; `…` stands for what was left out of a list."""
    return json.loads(re.sub(r",\s*…", "", text))


def form(value: Any) -> Any:
    """Return what of an answer doesn't depend on prices and moments: names, kinds, and what is null."""
    if isinstance(value, dict):
        return {name: form(each) for name, each in value.items() if name != "locations"}
    if isinstance(value, list):
        return [form(value[0])] if value else []
    return type(value).__name__


def test_the_guide_shows_every_query_and_stream_of_market_data_with_its_answer() -> None:
    shown = " ".join(document for document, _ in EXAMPLES)
    fields = {"venues", "market", "markets", "ticker", "depth", "candles", "trades", "volumeProfile", "depthHistory"}
    fields |= {"indicators", "indicator", "trend", "marketDepth"}
    assert fields <= set(re.findall(r"[a-zA-Z]+", shown))
    assert len(STREAMS) >= 4


async def test_every_documented_query_has_the_answer_in_the_guide(documented: Api) -> None:
    live = publishing(documented)
    try:
        for document, answer in QUERIES:
            found = await documented.answer(as_of_today(document))
            expected = parse_answer(answer)
            assert form(found["data"]) == form(expected["data"]), document
            assert error_codes(found) == error_codes(expected), document
    finally:
        live.cancel()


def error_codes(answer: dict[str, Any]) -> list[tuple[str, str]]:
    return [(error["message"], error["extensions"]["code"]) for error in answer.get("errors", ())]


async def test_every_documented_stream_sends_frames_as_the_guide_shows_them(documented: Api) -> None:
    live = publishing(documented)
    try:
        for document, answer in STREAMS:
            async with await documented.subscribe(document) as stream:
                frame = await stream.next()
            assert form({"data": frame}) == form(parse_answer(answer.splitlines()[0])), document
    finally:
        live.cancel()


def publishing(api: Api) -> "asyncio.Task[None]":
    """Publish as a collector does, until cancelled."""
    bus, symbol = api.harness.bus, BTC

    async def publish() -> None:
        number = 0
        while True:
            number, at = number + 1, datetime.now(UTC)
            trade = Trade(BTC, str(number), at, Decimal(61_000), ONE, OrderSide.BUY)
            forming = Candle(BTC, Timeframe.M1, Timeframe.M1.open_time(at), ONE, ONE, ONE, ONE, Decimal(number), False)
            await bus.publish(ticker_topic(symbol), codec.encode_ticker(Ticker(BTC, at, *[ONE] * 8)))
            status = FeedStatus(BTC, FeedState.LIVE, DAY)
            await bus.publish(status_topic(symbol), codec.encode_status(status))
            await bus.publish(depth_topic(symbol), codec.encode_depth(a_book(number, at)))
            await bus.publish(trades_topic(symbol), codec.encode_trades([trade]))
            await bus.publish(candles_topic(symbol), codec.encode_candles([forming]))
            await asyncio.sleep(0.01)

    return asyncio.create_task(publish())
