"""Fees in a third currency, converted when their fills are recorded; and the price that an order was sent at."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.execution.order_update import OrderUpdate
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.model.orders import Fill
from domain.model.trading import Position
from infra.postgres.connection import Connection
from infra.postgres.partitions import ensure_months
from infra.postgres.pool import Pool
from tests.support.order_harness import OrderHarness
from tests.support.orders import a_market, fill_report
from tests.support.scripted_venue import ScriptedVenue
from tests.support.waiting import read_until

BNB = MarketSymbol("sandbox", "BNB/USDT")


async def filled(
    harness: OrderHarness, venue: ScriptedVenue, trade_id: str = "a", ago: timedelta = timedelta(0)
) -> tuple[Fill, Position]:
    """Buy 1 at 90 for a fee of 0.01 BNB, reported so long after; return the fill, and the position after it."""
    order = await harness.limit(trade_id)
    fill = fill_report(
        trade_id, 1, 90, client_order_id=order.client_order_id, at=venue.venue_now() - ago, fee=Decimal("0.01"),
        fee_currency="BNB",
    )  # fmt: skip
    venue.publish(fill)
    (counted,) = await read_until(lambda: harness.fills(order.id), bool, "the fill is counted")
    (position,) = await harness.positions()
    return counted, position


async def stored(harness: OrderHarness, venue: ScriptedVenue, pool: Pool, prices: dict[timedelta, str]) -> None:
    """Store minutes of BNB that opened so long ago, and their closes."""
    now = venue.venue_now()
    candles = [
        Candle(BNB, Timeframe.M1, Timeframe.M1.open_time(now - ago), *[Decimal(price)] * 4, Decimal(1), closed=True)
        for ago, price in prices.items()
    ]
    async with pool.acquire() as driver:
        await ensure_months(Connection(driver), "candles", now - max(prices), now)
    async with harness.database.transaction() as transaction:
        await transaction.market_data.upsert_candles(candles)


async def test_a_fee_in_a_third_currency_is_converted_at_the_present_price(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    harness.markets.rates["BNB"] = Decimal(600)
    await harness.start()
    fill, position = await filled(harness, venue)
    assert fill.fee_rate == 600
    assert (position.fees, position.realized_profit, position.unpriced_fees) == (6, -6, ())


async def test_without_a_present_price_the_stored_one_of_the_fill_counts(
    harness: OrderHarness, venue: ScriptedVenue, pool: Pool
) -> None:
    await stored(harness, venue, pool, {timedelta(hours=3): "610", timedelta(days=2): "1"})
    await harness.start()
    fill, position = await filled(harness, venue)
    assert (fill.fee_rate, position.fees) == (610, Decimal("6.1"))


@pytest.mark.parametrize(
    ("ago", "prices", "rate"),
    [
        (timedelta(0), {timedelta(minutes=2): "610"}, 600),
        (timedelta(hours=1), {timedelta(minutes=62): "610"}, 610),
        (timedelta(hours=1), {timedelta(minutes=90): "610"}, 610),
        (timedelta(hours=1), {timedelta(hours=3): "610"}, 600),
        (timedelta(hours=1), {timedelta(minutes=30): "610"}, 600),
        (timedelta(days=3), {timedelta(days=3, hours=5): "610"}, 610),
        (timedelta(days=3), {timedelta(days=5): "610"}, None),
    ],
)
async def test_a_fill_that_is_reported_late_counts_at_the_price_that_is_nearest_to_it(
    harness: OrderHarness,
    venue: ScriptedVenue,
    pool: Pool,
    ago: timedelta,
    prices: dict[timedelta, str],
    rate: int | None,
) -> None:
    harness.markets.rates["BNB"] = Decimal(600)
    await stored(harness, venue, pool, prices)
    await harness.start()
    fill, _ = await filled(harness, venue, ago=ago)
    assert fill.fee_rate == rate


async def test_the_rate_of_a_fee_is_looked_up_once_however_often_its_fill_is_reported(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def convert(_venue: str, amount: Decimal, currency: str, _into: str) -> Decimal:
        asked.append(currency)
        return amount * 600

    monkeypatch.setattr(harness.markets, "convert", convert)
    await harness.start()
    fill, _ = await filled(harness, venue)
    again = fill_report("a", 1, 90, at=fill.at, fee=Decimal("0.01"), fee_currency="BNB")
    async with harness.database.transaction() as transaction:
        order = await transaction.orders.get_for_update(fill.order_id)
        assert order is not None
        again = replace(again, venue_order_id=order.venue_order_id)
        update = OrderUpdate(transaction, order, a_market(), harness.markets, harness.ids, harness.clock.now())
        await update.add_fills([again, again])
        step = await update.step()
    assert [currency for currency in asked if currency == "BNB"] == ["BNB"]
    assert not step.has_changed
    assert step.trade_ids == ("a", "a")


async def test_without_any_price_the_position_names_the_currency(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    fill, position = await filled(harness, venue)
    assert fill.fee_rate is None
    assert (position.fees, position.unpriced_fees) == (0, ("BNB",))


async def test_an_order_keeps_the_price_that_it_was_sent_at(harness: OrderHarness) -> None:
    await harness.start()
    sent = await harness.place("market")
    assert harness.markets.book is not None
    assert sent.arrival_price == 100
    harness.markets.book = replace(
        harness.markets.book, asks=tuple(replace(level, price=level.price + 1) for level in harness.markets.book.asks)
    )
    assert (await harness.limit("limit")).arrival_price == Decimal("100.5")
