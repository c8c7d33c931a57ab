import asyncio
from datetime import timedelta

import pytest

from domain.core.errors import ErrorCode, InputError
from domain.execution.executor import AccountExecutor
from domain.model.orders import CancelCode, OrderStatus, TimeInForce
from domain.ports.orders import OrderChange
from tests.support.order_harness import OrderHarness
from tests.support.orders import BTC
from tests.support.scripted_venue import Fate, ScriptedVenue
from tests.support.waiting import read_until


async def test_a_resting_order_is_cancelled(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    order = await harness.limit()
    assert order.status is OrderStatus.OPEN
    cancelled = await harness.service.cancel(harness.user.id, order.id)
    assert cancelled.status is OrderStatus.CANCELED
    assert cancelled.cancel_code is CancelCode.REQUESTED
    assert await harness.kinds(order.id) == ["PENDING", "SUBMITTED", "ACCEPTED", "PENDING_CANCEL", "CANCELED"]
    assert (await harness.service.cancel(harness.user.id, order.id)).status is OrderStatus.CANCELED


async def test_a_filled_order_cannot_be_cancelled(harness: OrderHarness) -> None:
    await harness.start()
    order = await harness.place()
    with pytest.raises(InputError, match="FILLED") as caught:
        await harness.service.cancel(harness.user.id, order.id)
    assert caught.value.code is ErrorCode.CONFLICT


async def test_somebody_elses_order_is_not_there(harness: OrderHarness) -> None:
    await harness.start()
    order = await harness.limit()
    with pytest.raises(InputError) as caught:
        await harness.service.cancel(harness.ids.next_id(), order.id)
    assert caught.value.code is ErrorCode.NOT_FOUND


async def test_an_order_that_was_not_sent_is_cancelled_without_the_venue(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    order = await harness.place()
    assert (await harness.service.cancel(harness.user.id, order.id)).status is OrderStatus.CANCELED
    await harness.start()
    assert venue.received == []


@pytest.mark.parametrize("fate", [Fate.LOST, Fate.SWALLOWED])
async def test_a_cancel_without_an_answer_is_queried_and_sent_again_if_it_was_lost(
    harness: OrderHarness, venue: ScriptedVenue, fate: Fate
) -> None:
    venue.cancel_fates.append(fate)
    venue.publishes_on_stream = False
    await harness.start()
    order = await harness.limit()
    assert (await harness.service.cancel(harness.user.id, order.id)).status is OrderStatus.CANCELED


async def test_a_refused_cancel_leaves_the_order_open_with_an_event(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.cancel_fates.append(Fate.REFUSED)
    await harness.start()
    order = await harness.limit()
    after = await harness.service.cancel(harness.user.id, order.id)
    assert (after.status, after.cancel_requested_at) == (OrderStatus.OPEN, None)
    assert (await harness.order_events(order.id))[-1].reason == "unknown order"
    assert (await harness.service.cancel(harness.user.id, order.id)).status is OrderStatus.CANCELED


async def test_a_cancel_that_comes_after_the_fill_ends_filled(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    order = await harness.limit()
    venue.publishes_on_stream = False
    venue.fill(order.client_order_id, 1)
    assert (await harness.service.cancel(harness.user.id, order.id)).status is OrderStatus.FILLED


async def test_a_fill_that_comes_after_the_cancel_counts(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    order = await harness.limit()
    await harness.service.cancel(harness.user.id, order.id)
    venue.fill(order.client_order_id, "0.4")
    marker = await harness.place("marker")
    await harness.until(marker.id, "FILLED")
    late = await read_until(lambda: harness.read(order.id), lambda now: now.filled_quantity, "the fill is counted")
    assert (late.status, str(late.filled_quantity)) == (OrderStatus.CANCELED, "0.4")
    venue.fill(order.client_order_id, "0.6")
    await harness.until(order.id, "FILLED")
    assert sum(position.quantity for position in await harness.positions()) == 2


async def test_cancelling_all_ends_what_fits_and_counts_it(harness: OrderHarness) -> None:
    await harness.start()
    orders = [await harness.limit(f"k{number}") for number in range(5)]
    assert len(await harness.service.cancel_all(harness.user.id, harness.account.id, BTC)) == 5
    for order in orders:
        await harness.until(order.id, "CANCELED")
    assert await harness.service.cancel_all(harness.user.id, harness.account.id) == []


async def test_a_gtd_order_expires_in_its_time(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    order = await harness.limit(time_in_force=TimeInForce.GTD, expires_at=harness.clock.now() + timedelta(hours=1))
    assert order.status is OrderStatus.OPEN
    expires_at = harness.clock.now() + timedelta(seconds=0.5)
    await harness.pool.execute("UPDATE orders SET expires_at = $2 WHERE id = $1", order.id, expires_at)
    order = await harness.until(order.id, "EXPIRED")
    assert venue.orders[order.client_order_id].status is OrderStatus.CANCELED
    assert order.updated_at >= expires_at
    assert order.cancel_code is CancelCode.EXPIRED


async def test_a_cancel_during_doubt_is_carried_out_once_the_order_is_found(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    venue.fates.append(Fate.SWALLOWED)
    venue.publishes_on_stream = False
    venue.unreachable = True
    order = await harness.limit()
    assert order.status is OrderStatus.IN_DOUBT
    cancelling = asyncio.create_task(harness.service.cancel(harness.user.id, order.id))
    await read_until(lambda: harness.read(order.id), lambda now: now.cancel_requested_at, "the cancel is asked for")
    venue.unreachable = False
    await cancelling
    await harness.until(order.id, "CANCELED")


async def test_cancels_go_before_orders_that_wait(harness: OrderHarness, venue: ScriptedVenue) -> None:
    waiting = await harness.limit("waiting")
    young = await harness.limit("young")
    async with harness.database.transaction() as transaction:
        order = await transaction.orders.get_for_update(young.id)
        assert order is not None
        now = harness.clock.now()
        opened = order.changed(now, status=OrderStatus.OPEN, cancel_requested_at=now)
        transaction.orders.write([OrderChange(order, opened)])
    executor = AccountExecutor(harness.new_context())
    await executor.load_commands()

    assert executor.queued == (young.id, waiting.id)
