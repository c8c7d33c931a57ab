import asyncio
from datetime import timedelta

import pytest

from domain.core.errors import ErrorCode, InputError
from domain.execution.executor import AccountExecutor
from domain.model.orders import OrderStatus, TimeInForce
from tests.support.order_harness import OrderHarness
from tests.support.orders import BTC
from tests.support.scripted_venue import Fate, ScriptedVenue
from tests.support.waiting import read_until


async def test_a_resting_order_is_cancelled(floor: OrderHarness, venue: ScriptedVenue) -> None:
    await floor.start()
    order = await floor.limit()
    assert order.status is OrderStatus.OPEN
    cancelled = await floor.service.cancel(floor.user.id, order.id)
    assert cancelled.status is OrderStatus.CANCELED
    assert await floor.kinds(order.id) == ["PENDING", "SUBMITTED", "ACCEPTED", "PENDING_CANCEL", "CANCELED"]
    assert (await floor.service.cancel(floor.user.id, order.id)).status is OrderStatus.CANCELED


async def test_a_filled_order_cannot_be_cancelled(floor: OrderHarness) -> None:
    await floor.start()
    order = await floor.place()
    with pytest.raises(InputError, match="FILLED") as caught:
        await floor.service.cancel(floor.user.id, order.id)
    assert caught.value.code is ErrorCode.CONFLICT


async def test_somebody_elses_order_is_not_there(floor: OrderHarness) -> None:
    await floor.start()
    order = await floor.limit()
    with pytest.raises(InputError) as caught:
        await floor.service.cancel(floor.ids.next_id(), order.id)
    assert caught.value.code is ErrorCode.NOT_FOUND


async def test_an_order_that_was_not_sent_is_cancelled_without_the_venue(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    order = await floor.place()
    assert (await floor.service.cancel(floor.user.id, order.id)).status is OrderStatus.CANCELED
    await floor.start()
    assert venue.received == []


@pytest.mark.parametrize("fate", [Fate.LOST, Fate.SWALLOWED])
async def test_a_cancel_without_an_answer_is_asked_about_and_sent_again_if_it_was_lost(
    floor: OrderHarness, venue: ScriptedVenue, fate: Fate
) -> None:
    venue.cancel_fates.append(fate)
    venue.tells_by_stream = False
    await floor.start()
    order = await floor.limit()
    assert (await floor.service.cancel(floor.user.id, order.id)).status is OrderStatus.CANCELED


async def test_a_refused_cancel_leaves_the_order_open_and_says_so(floor: OrderHarness, venue: ScriptedVenue) -> None:
    venue.cancel_fates.append(Fate.REFUSED)
    await floor.start()
    order = await floor.limit()
    after = await floor.service.cancel(floor.user.id, order.id)
    assert (after.status, after.cancel_requested_at) == (OrderStatus.OPEN, None)
    assert (await floor.story(order.id))[-1].reason == "unknown order"
    assert (await floor.service.cancel(floor.user.id, order.id)).status is OrderStatus.CANCELED


async def test_a_cancel_that_comes_after_the_fill_ends_filled(floor: OrderHarness, venue: ScriptedVenue) -> None:
    await floor.start()
    order = await floor.limit()
    venue.tells_by_stream = False
    venue.fill(order.client_order_id, 1)
    assert (await floor.service.cancel(floor.user.id, order.id)).status is OrderStatus.FILLED


async def test_a_fill_that_comes_after_the_cancel_counts(floor: OrderHarness, venue: ScriptedVenue) -> None:
    await floor.start()
    order = await floor.limit()
    await floor.service.cancel(floor.user.id, order.id)
    venue.fill(order.client_order_id, "0.4")
    marker = await floor.place("marker")
    await floor.until(marker.id, "FILLED")
    late = await floor.read(order.id)
    assert (late.status, str(late.filled_quantity)) == (OrderStatus.CANCELED, "0.4")
    venue.fill(order.client_order_id, "0.6")
    await floor.until(order.id, "FILLED")
    assert sum(position.quantity for position in await floor.positions()) == 2


async def test_cancelling_all_ends_what_fits_and_counts_it(floor: OrderHarness) -> None:
    await floor.start()
    orders = [await floor.limit(f"k{number}") for number in range(5)]
    assert len(await floor.service.cancel_all(floor.user.id, floor.account.id, BTC)) == 5
    for order in orders:
        await floor.until(order.id, "CANCELED")
    assert await floor.service.cancel_all(floor.user.id, floor.account.id) == []


async def test_a_gtd_order_expires_in_its_time(floor: OrderHarness, venue: ScriptedVenue) -> None:
    await floor.start()
    order = await floor.limit(time_in_force=TimeInForce.GTD, expires_at=floor.clock.now() + timedelta(hours=1))
    assert order.status is OrderStatus.OPEN
    expires_at = floor.clock.now() + timedelta(seconds=0.5)
    await floor.database._pool.execute("UPDATE orders SET expires_at = $2 WHERE id = $1", order.id, expires_at)
    order = await floor.until(order.id, "EXPIRED")
    assert venue.orders[order.client_order_id].status is OrderStatus.CANCELED
    assert order.updated_at >= expires_at


async def test_a_cancel_during_doubt_is_carried_out_once_the_order_is_found(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    await floor.start()
    venue.fates.append(Fate.SWALLOWED)
    venue.tells_by_stream = False
    venue.unreachable = True
    order = await floor.limit()
    assert order.status is OrderStatus.IN_DOUBT
    cancelling = asyncio.create_task(floor.service.cancel(floor.user.id, order.id))
    await read_until(lambda: floor.read(order.id), lambda now: now.cancel_requested_at, "the cancel is asked for")
    venue.unreachable = False
    await cancelling
    await floor.until(order.id, "CANCELED")


async def test_cancels_go_before_orders_that_wait(floor: OrderHarness, venue: ScriptedVenue) -> None:
    waiting = await floor.limit("waiting")
    young = await floor.limit("young")
    async with floor.database.transaction() as transaction:
        order = await transaction.orders.locked(young.id)
        assert order is not None
        now = floor.clock.now()
        await transaction.orders.save(order.changed(now, status=OrderStatus.OPEN, cancel_requested_at=now))
    executor = AccountExecutor(
        floor.account, floor.database, venue, floor.markets, floor.clock, floor.ids, lambda: None, floor.bell
    )
    await executor._collect()

    assert list(executor._queue) == [young.id, waiting.id]
