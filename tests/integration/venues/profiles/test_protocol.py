"""The order protocol with PostgreSQL, an executor and each venue's real class of ccxt, while answers get lost."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from domain.model.order_side import OrderSide
from domain.model.orders import OrderStatus, OrderType
from infra.postgres.pool import Pool
from infra.venues.ccxt.connection import VenueConnection
from infra.venues.ccxt.execution_client import CcxtExecutionClient
from tests.support.fake_venues.server import Answer, FakeVenue
from tests.support.order_harness import FixedMarkets, OrderHarness, open_order_harness
from tests.support.orders import BTC, a_book
from tests.support.waiting import eventually

HALF = Decimal("0.5")


@pytest.fixture
async def harness(pool: Pool, connection: VenueConnection, account: CcxtExecutionClient) -> AsyncIterator[OrderHarness]:
    listed = {market.symbol: market for market in await connection.load_markets()}
    markets = FixedMarkets(a_book(bid="100", ask="101", quantity=50), listed[BTC])
    async with open_order_harness(pool, account, markets) as harness:
        await harness.start()
        yield harness


async def test_an_order_whose_answer_is_lost_is_settled_by_our_id_and_its_fills_count_once(
    harness: OrderHarness, venue: FakeVenue
) -> None:
    venue.answer_next(venue.place_path, Answer("", lost=True))
    placed = await harness.place(type=OrderType.LIMIT, price=Decimal(100), quantity=HALF, side=OrderSide.BUY)
    order = await harness.until(placed.id, "OPEN")
    (taken,) = venue.orders.values()
    assert order.venue_order_id == taken.id
    made = venue.fill(taken, HALF)
    for _ in range(2):
        for frame in venue.fill_frames(made):
            await venue.push(frame)
    order = await harness.until(placed.id, "FILLED")
    (fill,) = await harness.fills(order.id)
    assert (fill.venue_trade_id, fill.quantity, fill.fee) == (made.id, HALF, made.fee)
    assert len(venue.sent_to(venue.place_path)) == 1


async def test_an_order_is_cancelled_though_the_answers_to_both_requests_are_lost(
    harness: OrderHarness, venue: FakeVenue
) -> None:
    venue.answer_next(venue.place_path, Answer("", lost=True))
    venue.answer_next(venue.cancel_path, Answer("", lost=True))
    placed = await harness.place(type=OrderType.LIMIT, price=Decimal(100), quantity=HALF)
    await harness.service.cancel(harness.user.id, placed.id)
    order = await harness.until(placed.id, "CANCELED")
    (taken,) = venue.orders.values()
    assert (order.status, taken.status) == (OrderStatus.CANCELED, "canceled")


async def test_a_market_order_of_which_the_stream_reports_nothing_is_filled_all_the_same(
    harness: OrderHarness, venue: FakeVenue
) -> None:
    placed = await harness.place(type=OrderType.MARKET, quantity=HALF)
    await eventually(lambda: venue.orders, "the order is at the venue")
    (taken,) = venue.orders.values()
    made = venue.fill(taken, HALF)
    order = await harness.until(placed.id, "FILLED")
    (fill,) = await harness.fills(order.id)
    assert fill.venue_trade_id == made.id
