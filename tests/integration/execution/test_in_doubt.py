"""What is not known of an order is settled by asking, and nothing is ever sent twice."""

import asyncio
from dataclasses import replace

import pytest

from domain.execution.account_context import OrderTimings
from domain.model.orders import OrderStatus
from tests.support.order_harness import OrderHarness
from tests.support.scripted_venue import Fate, ScriptedVenue
from tests.support.waiting import eventually


@pytest.mark.parametrize("publishes_on_stream", [True, False], ids=["stream tells", "stream is silent"])
async def test_an_order_whose_answer_was_swallowed_is_found_at_the_venue(
    harness: OrderHarness, venue: ScriptedVenue, *, publishes_on_stream: bool
) -> None:
    venue.fates.append(Fate.SWALLOWED)
    venue.publishes_on_stream = publishes_on_stream
    await harness.start()
    order = await harness.until((await harness.place()).id, "FILLED")
    assert venue.received == [order.client_order_id]
    assert order.absences == 0
    assert len(await harness.fills(order.id)) == 1


async def test_an_order_that_never_arrived_is_rejected_after_three_clean_absences(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.fates.append(Fate.LOST)
    await harness.start()
    before = harness.clock.monotonic()
    order = await harness.until((await harness.place()).id, "REJECTED")
    assert harness.clock.monotonic() - before > harness.timings.absence_after
    assert order.absences == 3
    assert order.reject_reason == "the venue never received the order"
    assert venue.sent == 1
    assert await harness.kinds(order.id) == ["PENDING", "SUBMITTED", "IN_DOUBT", "REJECTED"]


async def test_absences_before_the_request_must_have_arrived_do_not_count(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.fates.append(Fate.LOST)
    harness.timings = OrderTimings(
        absence_after=3600, first_query_delay=0.01, longest_query_delay=0.02, poll_interval=0.05
    )
    await harness.start()
    order = await harness.place()
    await eventually(lambda: venue.query_count > 20, "the venue is queried again and again")
    assert (await harness.read(order.id)).status is OrderStatus.IN_DOUBT
    assert (await harness.read(order.id)).absences == 0


async def test_while_the_venue_is_unreachable_an_order_stays_in_doubt(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    venue.fates.append(Fate.LOST)
    venue.unreachable = True
    order = await harness.place()
    await asyncio.sleep(4 * harness.timings.absence_after)  # far longer than it takes if the venue answers
    assert (await harness.read(order.id)).status is OrderStatus.IN_DOUBT
    venue.unreachable = False
    await harness.until(order.id, "REJECTED")


async def test_a_rejection_by_absence_is_taken_back_when_the_venue_reports_the_order(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.fates.append(Fate.LOST)
    await harness.start()
    order = await harness.until((await harness.limit()).id, "REJECTED")
    venue.receive(order)
    await harness.until(order.id, "OPEN")
    venue.fill(order.client_order_id, 1)
    await harness.until(order.id, "FILLED")
    assert (await harness.kinds(order.id))[-3:] == ["REJECTED", "RECONCILED", "FILL"]


async def test_a_doubt_does_not_hold_up_other_orders(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    venue.fates.append(Fate.LOST)
    venue.unreachable = True
    doubted = await harness.place("first")
    assert doubted.status is OrderStatus.IN_DOUBT
    assert (await harness.place("second")).status is OrderStatus.FILLED


async def test_a_trade_that_may_be_the_orders_keeps_it_in_doubt(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    venue.fates.append(Fate.SWALLOWED)
    venue.publishes_on_stream = False
    query_order = venue.query_order
    venue.query_order = _knows_nothing  # type: ignore[method-assign]
    order = await harness.place()
    await asyncio.sleep(4 * harness.timings.absence_after)
    assert (await harness.read(order.id)).status is OrderStatus.IN_DOUBT
    assert (await harness.read(order.id)).absences == 0
    venue.query_order = query_order  # type: ignore[method-assign]
    await harness.until(order.id, "FILLED")


async def _knows_nothing(order: object) -> None:
    return None


async def test_a_stale_lease_sends_nothing_and_ends_the_executor(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    assert harness.lease is not None
    async with harness.database.transaction() as transaction:
        await transaction.leases.release(harness.lease)
        await transaction.leases.acquire("account", str(harness.account.id), "another node", 600)
    order = await harness.place()
    assert order.status is OrderStatus.PENDING
    assert venue.sent == 0
    await eventually(harness.task.done, "the executor has ended")
    assert type(harness.take_error()).__name__ == "StaleLease"


async def test_a_lease_renewed_too_long_ago_keeps_the_bytes_from_leaving(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    harness.timings = replace(harness.timings, maximum_lease_age=0)
    await harness.start()
    order = await harness.place()
    assert order.status is OrderStatus.CANCELED
    assert venue.sent == 0
    assert (await harness.order_events(order.id))[-1].reason == (
        "not sent: the right to trade the account was not renewed in time"
    )
