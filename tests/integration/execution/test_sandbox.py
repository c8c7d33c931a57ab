"""The protocol end to end: PostgreSQL, ccxt, and a sandbox exchange that misbehaves."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from domain.core.money import round_down
from domain.model.order_side import OrderSide
from domain.model.orders import Order, OrderStatus, OrderType
from domain.ports.execution_client import OrderReport
from infra.clock import SystemClock
from infra.postgres.pool import Pool
from infra.venues.config import VenueSettings
from infra.venues.registry import Venues
from tests.support.order_harness import FixedMarkets, OrderHarness, open_order_harness
from tests.support.orders import BTC, a_book
from tests.support.sandbox import SandboxProcess, running_sandbox
from tests.support.venues import Trader, open_trader
from tests.support.waiting import read_until


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[SandboxProcess]:
    # Its web server complains of connections that it is made to cut.
    async with running_sandbox(tmp_path / "sandbox", seed=7, expect_errors=True) as process:
        yield process


@pytest.fixture
async def venues(sandbox: SandboxProcess) -> AsyncIterator[Venues]:
    settings = VenueSettings("sandbox", "binance", sandbox.url, live=False)
    venues = Venues([settings], SystemClock(), {"sandbox": sandbox.admin_token})
    yield venues
    await venues.close()


@pytest.fixture
async def trader(venues: Venues) -> AsyncIterator[Trader]:
    trader = await open_trader(venues, "ann", {"USDT": Decimal(100_000), "BTC": Decimal(2)})
    yield trader
    await trader.venue.close()


@pytest.fixture
async def harness(pool: Pool, venues: Venues, sandbox: SandboxProcess, trader: Trader) -> AsyncIterator[OrderHarness]:
    (listed,) = [market for market in await venues.public("sandbox").load_markets() if market.symbol == BTC]
    book = await sandbox.get("/api/v3/depth?symbol=BTCUSDT&limit=5")
    markets = FixedMarkets(a_book(bid=book["bids"][0][0], ask=book["asks"][0][0], quantity=50), listed)
    async with open_order_harness(pool, trader.venue, markets) as harness:
        await harness.start()
        yield harness


def far(harness: OrderHarness) -> Decimal:
    """Return a price at which a buy rests."""
    assert harness.markets.book is not None
    return round_down(harness.markets.book.bids[0].price * Decimal("0.97"), Decimal("0.01"))


async def at_the_venue(trader: Trader, order: Order) -> OrderReport:
    report = await trader.venue.query_order(order)
    assert report is not None
    return report


SMALL = Decimal("0.01")


async def filled(harness: OrderHarness, key: str = "k", **changes: object) -> Order:
    """Return a market order once it is filled; the stream may tell before the answer that the venue has taken it."""
    placed = await harness.place(key, **({"quantity": SMALL} | changes))
    return await harness.until(placed.id, "FILLED")


async def test_a_market_order_fills_and_its_fees_are_known(harness: OrderHarness, trader: Trader) -> None:
    order = await filled(harness)
    assert order.filled_quantity == SMALL
    fills = await harness.fills(order.id)
    assert sum(fill.quantity for fill in fills) == SMALL
    assert {fill.fee_currency for fill in fills} == {"BTC"}
    (position,) = await harness.positions()
    assert position.quantity == SMALL - sum(fill.fee for fill in fills)


async def test_a_limit_order_rests_and_is_cancelled(harness: OrderHarness, trader: Trader) -> None:
    order = await harness.place(type=OrderType.LIMIT, price=far(harness), quantity=SMALL)
    assert order.status is OrderStatus.OPEN
    assert (await harness.service.cancel(harness.user.id, order.id)).status is OrderStatus.CANCELED
    assert (await at_the_venue(trader, order)).status is OrderStatus.CANCELED


async def test_selling_all_that_was_bought_closes_the_position(harness: OrderHarness) -> None:
    await filled(harness, "in")
    await filled(harness, "out", side=OrderSide.SELL)
    assert await harness.positions() == []


async def test_a_swallowed_answer_ends_filled_with_one_order_at_the_venue(
    harness: OrderHarness, sandbox: SandboxProcess, trader: Trader
) -> None:
    await sandbox.inject_faults(swallowOrders=1)
    order = await filled(harness)
    assert sum(fill.quantity for fill in await harness.fills(order.id)) == SMALL
    trades = await trader.venue.fills(order.market, order.created_at - timedelta(minutes=1))
    assert {trade.venue_order_id for trade in trades} == {order.venue_order_id}


async def test_a_request_that_was_cut_before_it_arrived_ends_rejected(
    harness: OrderHarness, sandbox: SandboxProcess, trader: Trader
) -> None:
    await sandbox.inject_faults(dropOrders=1)
    order = await harness.until((await harness.place(quantity=SMALL)).id, "REJECTED")
    assert await trader.venue.query_order(order) is None


async def test_a_swallowed_cancel_ends_cancelled(harness: OrderHarness, sandbox: SandboxProcess) -> None:
    order = await harness.place(type=OrderType.LIMIT, price=far(harness), quantity=SMALL)
    await sandbox.inject_faults(swallowCancels=1, muteUserEvents=5)
    await harness.service.cancel(harness.user.id, order.id)
    await harness.until(order.id, "CANCELED")


async def test_repeated_and_reordered_fills_count_once(harness: OrderHarness, sandbox: SandboxProcess) -> None:
    await sandbox.inject_faults(repeatFills=20, reorderFills=20)
    orders = [await filled(harness, f"k{number}", quantity=Decimal("0.2")) for number in range(5)]
    for order in orders:
        fills = await harness.fills(order.id)
        assert sum(fill.quantity for fill in fills) == Decimal("0.2")
        assert len({fill.venue_trade_id for fill in fills}) == len(fills)


async def test_what_fills_while_the_stream_is_down_is_caught_up(
    harness: OrderHarness, sandbox: SandboxProcess, trader: Trader
) -> None:
    price = far(harness)
    order = await harness.place(type=OrderType.LIMIT, price=price, quantity=SMALL)
    await sandbox.inject_faults(muteUserEvents=50)
    await sandbox.move_price("BTC/USDT", str(round_down(price * Decimal("0.99"), Decimal("0.01"))))

    await read_until(
        lambda: at_the_venue(trader, order), lambda report: report.status is OrderStatus.FILLED, "it is filled"
    )
    await sandbox.inject_faults(dropUserStreams=True)
    await harness.until(order.id, "FILLED")


async def test_a_killed_engine_finds_its_orders_again(
    harness: OrderHarness, sandbox: SandboxProcess, trader: Trader
) -> None:
    await sandbox.inject_faults(hangOrders=1)
    placing = asyncio.create_task(harness.place(quantity=SMALL))
    since = harness.account.created_at - timedelta(minutes=1)
    await read_until(lambda: trader.venue.fills(BTC, since), bool, "the venue has filled it")
    await harness.kill()
    order = await placing
    await harness.start()
    order = await harness.until(order.id, "FILLED")
    assert order.filled_quantity == SMALL


async def test_a_venue_that_is_down_for_a_while_loses_no_order(harness: OrderHarness, sandbox: SandboxProcess) -> None:
    resting = await harness.place("rests", type=OrderType.LIMIT, price=far(harness), quantity=SMALL)
    harness.context.timings = replace(harness.timings, unreconciled_wait=0.5)
    await sandbox.kill()
    doubted = await harness.place("in the dark", quantity=SMALL)
    assert doubted.status is not OrderStatus.FILLED
    await sandbox.start()
    assert (await harness.service.cancel(harness.user.id, resting.id)).status is not OrderStatus.OPEN
    await harness.until(resting.id, "CANCELED")
    ended = await harness.until(doubted.id, "REJECTED", "CANCELED", "DENIED", "FILLED")
    assert ended.filled_quantity in {0, SMALL}
