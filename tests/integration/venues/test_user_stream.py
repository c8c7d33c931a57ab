import asyncio
import logging
from contextlib import aclosing
from decimal import Decimal
from uuid import uuid4

import pytest

from domain.model.order_side import OrderSide
from domain.model.orders import OrderStatus, OrderType
from domain.ports.execution_client import BalanceReport, OrderReport, StreamLost, StreamOpened
from infra.venues.registry import Venues
from tests.support.sandbox import SandboxProcess
from tests.support.venues import Trader, UpdateLog, allow, best_bid, new_order, open_trader, recorded_updates


def opened(log: UpdateLog) -> object:
    return log.of(StreamOpened)


async def test_an_order_is_reported_from_its_acceptance_to_its_fill(trader: Trader) -> None:
    async with recorded_updates(trader.venue) as log:
        await log.until(opened, "the stream opened")
        order = new_order()
        placed = await trader.venue.place(order, allow)
        await log.until(
            lambda log: log.of(BalanceReport) and log.of(OrderReport)[-1].status is OrderStatus.FILLED, "fill"
        )
    orders = log.of(OrderReport)
    assert {order_report.client_order_id for order_report in orders} == {order.client_order_id}
    assert orders[0].status is OrderStatus.OPEN
    assert {fill.venue_trade_id: fill for fill in log.fills} == {fill.venue_trade_id: fill for fill in placed.fills}
    held = {balance.currency: balance for balance in log.of(BalanceReport)[-1].balances}
    assert held["BTC"].total == Decimal(2) + Decimal("0.01") * Decimal("0.999")


async def test_a_cancel_is_reported_under_the_orders_own_id(trader: Trader, venues: Venues) -> None:
    price = (await best_bid(venues) * Decimal("0.97")).quantize(Decimal("0.01"))
    order = new_order(type=OrderType.LIMIT, price=price)
    async with recorded_updates(trader.venue) as log:
        await log.until(opened, "the stream opened")
        await trader.venue.place(order, allow)
        await trader.venue.cancel(order, allow)
        await log.until(lambda log: len(log.of(OrderReport)) == 2, "both steps")
    assert [step.status for step in log.of(OrderReport)] == [OrderStatus.OPEN, OrderStatus.CANCELED]
    assert {order_report.client_order_id for order_report in log.of(OrderReport)} == {order.client_order_id}


async def test_a_deposit_is_reported_as_the_new_balance(trader: Trader, venues: Venues) -> None:
    async with recorded_updates(trader.venue) as log:
        await log.until(opened, "the stream opened")
        await venues.paper("sandbox").deposit(trader.name, "USDT", Decimal(5), "once")
        await log.until(lambda log: log.of(BalanceReport), "the deposit")
    held = {balance.currency: balance.total for balance in log.of(BalanceReport)[-1].balances}
    assert held["USDT"] == Decimal(100_005)


async def test_none_of_500_fast_fills_is_lost(trader: Trader) -> None:
    async def trade(count: int) -> int:
        fills = 0
        for number in range(count):
            side = OrderSide.BUY if number % 2 else OrderSide.SELL
            placed = await trader.venue.place(new_order(side=side, quantity=Decimal("0.001")), allow)
            fills += len(placed.fills)
        return fills

    async with recorded_updates(trader.venue) as log:
        await log.until(opened, "the stream opened")
        made = sum(await asyncio.gather(*(trade(50) for _ in range(10))))
        assert made >= 500
        await log.until(lambda log: len(log.fills) >= made, "every fill")
    assert len({fill.venue_trade_id for fill in log.fills}) == len(log.fills) == made


async def test_a_stream_that_is_cut_reports_it_and_reconnects(trader: Trader, sandbox: SandboxProcess) -> None:
    async with recorded_updates(trader.venue) as log:
        await log.until(opened, "the stream opened")
        await sandbox.inject_faults(dropUserStreams=True)
        await log.until(lambda log: len(log.of(StreamOpened)) == 2, "the stream is open again")
        await trader.venue.place(new_order(), allow)
        await log.until(lambda log: log.fills, "a fill on the new stream")
    assert [type(update) for update in log.updates[:3]] == [StreamOpened, StreamLost, StreamOpened]


async def test_a_venue_that_restarts_is_found_again_without_a_traceback(
    trader: Trader, sandbox: SandboxProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with recorded_updates(trader.venue) as log:
        await log.until(opened, "the stream opened")
        await sandbox.kill()
        await log.until(lambda log: log.of(StreamLost), "the loss is noticed")
        await sandbox.start()
        await log.until(lambda log: len(log.of(StreamOpened)) == 2, "the stream is open again")
        await trader.venue.place(new_order(), allow)
        await log.until(lambda log: log.fills, "a fill on the new stream")
    assert len(log.of(StreamLost)) == 1
    assert not [record for record in caplog.records if record.exc_info or record.levelno >= logging.ERROR]
    assert "signature" not in caplog.text


async def test_a_rejected_stream_is_logged_in_the_venues_words_and_reopened(
    trader: Trader, sandbox: SandboxProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with recorded_updates(trader.venue) as log:
        await log.until(opened, "the stream opened")
        await sandbox.inject_faults(driftMs=60_000)
        await sandbox.inject_faults(dropUserStreams=True)
        await log.until(
            lambda log: len(log.of(StreamOpened)) == 2, "the clock is measured, and the stream is open again"
        )
    broke = [record.getMessage() for record in caplog.records if "broke" in record.getMessage()]
    assert [line for line in broke if "-1021" in line], broke
    assert not [line for line in broke if "KeyError" in line]


async def test_the_updates_end_when_the_account_is_closed(venues: Venues) -> None:
    trader = await open_trader(venues, f"bob-{uuid4()}", {"USDT": Decimal(1)})
    async with aclosing(trader.venue.reports()) as updates:
        assert isinstance(await anext(updates), StreamOpened)
        await trader.venue.close()
        assert [update async for update in updates] == []
