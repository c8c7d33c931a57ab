"""What is not known of an order is settled by asking, and nothing is ever sent twice."""

import asyncio

import pytest

from domain.model.orders import OrderStatus
from tests.support.order_harness import OrderHarness
from tests.support.scripted_venue import Fate, ScriptedVenue
from tests.support.waiting import eventually


@pytest.mark.parametrize("tells_by_stream", [True, False], ids=["stream tells", "stream is silent"])
async def test_an_order_whose_answer_was_swallowed_is_found_at_the_venue(
    floor: OrderHarness, venue: ScriptedVenue, *, tells_by_stream: bool
) -> None:
    venue.fates.append(Fate.SWALLOWED)
    venue.tells_by_stream = tells_by_stream
    await floor.start()
    order = await floor.until((await floor.place()).id, "FILLED")
    assert venue.received == [order.client_order_id]
    assert order.absences == 0
    assert len(await floor.fills(order.id)) == 1


async def test_an_order_that_never_arrived_is_rejected_after_three_clean_absences(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.fates.append(Fate.LOST)
    await floor.start()
    before = floor.clock.monotonic()
    order = await floor.until((await floor.place()).id, "REJECTED")
    assert floor.clock.monotonic() - before > floor.timing.absence
    assert order.absences == 3
    assert order.reject_reason == "the venue never received the order"
    assert venue.sent == 1
    assert await floor.kinds(order.id) == ["PENDING", "SUBMITTED", "IN_DOUBT", "REJECTED"]


async def test_absences_before_the_request_must_have_arrived_do_not_count(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.fates.append(Fate.LOST)
    floor.timing = floor.timing.__class__(absence=3600, settle_first=0.01, settle_longest=0.02, poll=0.05)
    await floor.start()
    order = await floor.place()
    await eventually(lambda: venue.finds > 20, "the venue is asked again and again")
    assert (await floor.read(order.id)).status is OrderStatus.IN_DOUBT
    assert (await floor.read(order.id)).absences == 0


async def test_while_the_venue_is_unreachable_an_order_stays_in_doubt(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    await floor.start()
    venue.fates.append(Fate.LOST)
    venue.unreachable = True
    order = await floor.place()
    await asyncio.sleep(4 * floor.timing.absence)  # far longer than an order is looked for where the venue answers
    assert (await floor.read(order.id)).status is OrderStatus.IN_DOUBT
    venue.unreachable = False
    await floor.until(order.id, "REJECTED")


async def test_a_rejection_by_absence_is_taken_back_when_the_venue_tells_of_the_order(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.fates.append(Fate.LOST)
    await floor.start()
    order = await floor.until((await floor.limit()).id, "REJECTED")
    venue._receive(order)
    await floor.until(order.id, "OPEN")
    venue.fill(order.client_order_id, 1)
    await floor.until(order.id, "FILLED")
    assert (await floor.kinds(order.id))[-3:] == ["REJECTED", "RECONCILED", "FILL"]


async def test_a_doubt_does_not_hold_up_other_orders(floor: OrderHarness, venue: ScriptedVenue) -> None:
    await floor.start()
    venue.fates.append(Fate.LOST)
    venue.unreachable = True
    doubted = await floor.place("first")
    assert doubted.status is OrderStatus.IN_DOUBT
    assert (await floor.place("second")).status is OrderStatus.FILLED


async def test_a_trade_that_may_be_the_orders_keeps_it_in_doubt(floor: OrderHarness, venue: ScriptedVenue) -> None:
    await floor.start()
    venue.fates.append(Fate.SWALLOWED)
    venue.tells_by_stream = False
    find = venue.find
    venue.find = _knows_nothing  # type: ignore[method-assign]
    order = await floor.place()
    await asyncio.sleep(4 * floor.timing.absence)
    assert (await floor.read(order.id)).status is OrderStatus.IN_DOUBT
    assert (await floor.read(order.id)).absences == 0
    venue.find = find  # type: ignore[method-assign]
    await floor.until(order.id, "FILLED")


async def _knows_nothing(order: object) -> None:
    return None


async def test_a_stale_lease_sends_nothing_and_ends_the_executor(floor: OrderHarness, venue: ScriptedVenue) -> None:
    await floor.start()
    assert floor.lease is not None
    async with floor.database.transaction() as transaction:
        await transaction.leases.release(floor.lease)
        await transaction.leases.acquire("account", str(floor.account.id), "another node", 600)
    order = await floor.place()
    assert order.status is OrderStatus.PENDING
    assert venue.sent == 0
    await eventually(floor.task.done, "the executor has ended")
    assert type(floor.task.exception()).__name__ == "StaleLease"
    floor._task = None


async def test_a_lease_renewed_too_long_ago_keeps_the_bytes_from_leaving(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    executor = await floor.start()
    executor._desk._lease = lambda: floor.lease
    executor._desk.timing = floor.timing.__class__(guard=0)
    order = await floor.place()
    assert order.status is OrderStatus.CANCELED
    assert venue.sent == 0
    assert (await floor.story(order.id))[-1].reason == (
        "not sent: the right to trade the account was not renewed in time"
    )
