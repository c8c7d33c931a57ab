"""Fees in a third currency, converted when their fills are recorded; and the price that an order was sent at."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from domain.markets.types import Candle, MarketSymbol, Timeframe
from domain.orders.types import Fill
from domain.trading.types import Position
from infra.postgres.connection import Connection
from infra.postgres.partitions import ensure_months
from infra.postgres.pool import Pool
from tests.support.order_floor import Floor
from tests.support.orders import told_fill
from tests.support.scripted_venue import ScriptedVenue
from tests.support.waiting import read_until

BNB = MarketSymbol("sandbox", "BNB/USDT")


async def filled(floor: Floor, venue: ScriptedVenue, trade_id: str = "a") -> tuple[Fill, Position]:
    """Buy 1 at 90 for a fee of 0.01 BNB; return the fill, and the position after it."""
    order = await floor.limit(trade_id)
    fill = told_fill(
        trade_id, 1, 90, client_order_id=order.client_order_id, at=venue.venue_now(), fee=Decimal("0.01"),
        fee_currency="BNB",
    )  # fmt: skip
    venue.tell(fill)
    (counted,) = await read_until(lambda: floor.fills(order.id), bool, "the fill is counted")
    (position,) = await floor.positions()
    return counted, position


async def test_a_fee_in_a_third_currency_is_converted_at_the_present_price(floor: Floor, venue: ScriptedVenue) -> None:
    floor.markets.rates["BNB"] = Decimal(600)
    await floor.start()
    fill, position = await filled(floor, venue)
    assert fill.fee_rate == 600
    assert (position.fees, position.realized_profit, position.unpriced_fees) == (6, -6, ())


async def test_without_a_present_price_the_stored_one_of_the_fill_counts(
    floor: Floor, venue: ScriptedVenue, pool: Pool
) -> None:
    at = venue.venue_now().replace(second=0, microsecond=0) - timedelta(hours=3)
    prices = {at: "610", at - timedelta(days=2): "1"}
    candles = [
        Candle(BNB, Timeframe.M1, opened, *[Decimal(price)] * 4, Decimal(1), closed=True)
        for opened, price in prices.items()
    ]
    async with pool.acquire() as driver:
        await ensure_months(Connection(driver), "candles", at - timedelta(days=3), at)
    async with floor.storage.transaction() as transaction:
        await transaction.market_data.save_candles(candles)
    await floor.start()
    fill, position = await filled(floor, venue)
    assert (fill.fee_rate, position.fees) == (610, Decimal("6.1"))


async def test_without_any_price_the_position_names_the_currency(floor: Floor, venue: ScriptedVenue) -> None:
    await floor.start()
    fill, position = await filled(floor, venue)
    assert fill.fee_rate is None
    assert (position.fees, position.unpriced_fees) == (0, ("BNB",))


async def test_an_order_keeps_the_price_that_it_was_sent_at(floor: Floor) -> None:
    await floor.start()
    sent = await floor.place("market")
    assert floor.markets.book is not None
    assert sent.arrival_price == 100
    floor.markets.book = replace(
        floor.markets.book, asks=tuple(replace(level, price=level.price + 1) for level in floor.markets.book.asks)
    )
    assert (await floor.limit("limit")).arrival_price == Decimal("100.5")
