"""Orders that come while their account isn't reconciled yet, as just after it has moved to another node: they wait."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from domain.model.order_side import OrderSide
from domain.model.orders import CancelCode, Order, OrderStatus, OrderType, RiskCode
from tests.support.order_harness import OrderHarness
from tests.support.scripted_venue import ScriptedVenue
from tests.support.waiting import eventually, read_until

PENDING = OrderStatus.PENDING


@pytest.fixture
def moved(harness: OrderHarness, venue: ScriptedVenue) -> OrderHarness:
    """An account whose next executor can't reconcile before `venue.unreachable` is taken back."""
    venue.unreachable = True
    return harness


async def is_looked_at(harness: OrderHarness, *orders: Order) -> None:
    """Return when the executor knows the orders, has left them to wait, and has gone through all of them again."""
    await eventually(lambda: all(order.id in harness.context.order_ages for order in orders), "the orders are known")
    asked = harness.venue.unanswered
    await eventually(lambda: harness.venue.unanswered > asked, "the venue is asked again")
    for order in orders:
        assert (await harness.read(order.id)).status is PENDING


@pytest.mark.parametrize("type_", [OrderType.MARKET, OrderType.LIMIT])
async def test_an_order_waits_longer_for_its_account_than_for_anything_else(
    moved: OrderHarness, venue: ScriptedVenue, type_: OrderType
) -> None:
    moved.timings = replace(moved.timings, maximum_market_order_age=0, maximum_order_age=0)
    order = await moved.place(type=type_, price=Decimal(90) if type_ is OrderType.LIMIT else None)
    await moved.start_unreconciled()
    await is_looked_at(moved, order)
    venue.unreachable = False
    await moved.until(order.id, "FILLED" if type_ is OrderType.MARKET else "OPEN")
    assert venue.received == [order.client_order_id]
    later = await moved.place("later")
    assert (later.status, later.cancel_code) == (OrderStatus.CANCELED, CancelCode.TOO_OLD)


async def test_an_order_at_market_waits_for_a_shorter_time_than_one_with_a_price(
    moved: OrderHarness, venue: ScriptedVenue
) -> None:
    moved.timings = replace(moved.timings, unreconciled_market_wait=0.1)
    at_limit = await moved.limit("at limit")
    await moved.start_unreconciled()
    at_market = await moved.until((await moved.place("at market")).id, "DENIED")
    assert RiskCode.NOT_RECONCILED in [denial.code for denial in at_market.denials]
    await is_looked_at(moved, at_limit)
    venue.unreachable = False
    await moved.until(at_limit.id, "OPEN")
    assert venue.received == [at_limit.client_order_id]


async def test_many_waiting_orders_are_sent_in_the_order_in_which_they_were_placed(
    moved: OrderHarness, venue: ScriptedVenue
) -> None:
    moved.timings = replace(moved.timings, maximum_requests=1)
    await moved.start_unreconciled()
    placing = [asyncio.create_task(moved.limit(f"k{number}", f"{90 - number}")) for number in range(8)]

    async def waiting() -> list[Order]:
        async with moved.database.read_only() as reading:
            return await reading.orders.list_active(moved.account.id)

    orders = await read_until(waiting, lambda found: len(found) == len(placing), "all are stored")
    await is_looked_at(moved, *orders)
    assert venue.received == []
    venue.unreachable = False
    assert {order.status for order in await asyncio.gather(*placing)} == {OrderStatus.OPEN}
    assert venue.received == [order.client_order_id for order in sorted(orders, key=lambda order: order.id)]


async def test_a_waiting_order_is_cancelled_at_once_and_never_sent(moved: OrderHarness, venue: ScriptedVenue) -> None:
    cancelled, kept = await moved.limit("cancelled"), await moved.limit("kept")
    await moved.start_unreconciled()
    await is_looked_at(moved, cancelled, kept)
    assert (await moved.service.cancel(moved.user.id, cancelled.id)).status is OrderStatus.CANCELED
    venue.unreachable = False
    await moved.until(kept.id, "OPEN")
    assert venue.received == [kept.client_order_id]


async def test_an_order_that_waits_while_the_node_is_killed_is_sent_once_by_the_next(
    moved: OrderHarness, venue: ScriptedVenue
) -> None:
    order = await moved.limit()
    for _ in range(2):
        await moved.start_unreconciled()
        await is_looked_at(moved, order)
        await moved.kill()
    venue.unreachable = False
    await moved.start()
    await moved.until(order.id, "OPEN")
    assert (await moved.limit()).id == order.id  # the same key again
    assert venue.received == [order.client_order_id]


async def test_an_order_that_only_reduces_does_not_wait(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    await harness.place("held", quantity=Decimal(2))
    harness.context.reconciled = False
    exiting = await harness.limit("exit", "110", side=OrderSide.SELL, reduce_only=True, quantity=Decimal(1))
    assert exiting.status is OrderStatus.OPEN
