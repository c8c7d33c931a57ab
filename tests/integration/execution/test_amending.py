"""Amendments of orders on a real database: what a venue, a crash and other users' requests can do in between."""

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from domain.core.errors import ErrorCode, InputError, InputErrors
from domain.model.orders import CancelCode, Order, OrderStatus, OrderType, RiskCode
from domain.model.trading import Balance
from domain.model.trading_state import Halt, HaltAuthor, HaltLevel, TradingState
from domain.rules.order_amendment import AmendmentRequest
from tests.support.order_harness import OrderHarness
from tests.support.orders import D
from tests.support.scripted_venue import Fate, ScriptedVenue
from tests.support.waiting import eventually

OPEN, CANCELED, FILLED, PENDING = OrderStatus.OPEN, OrderStatus.CANCELED, OrderStatus.FILLED, OrderStatus.PENDING


@pytest.fixture(params=["cancels, then places", "replaces at once"])
async def amending(request: pytest.FixtureRequest, harness: OrderHarness, venue: ScriptedVenue) -> OrderHarness:
    """A harness at a venue without and with a request that replaces an order."""
    venue.replaces_at_once = request.param == "replaces at once"
    return harness


async def amend(harness: OrderHarness, order: Order, key: str = "a", **changes: Decimal) -> Order:
    return await harness.service.amend(harness.user.id, AmendmentRequest(order.id, **changes), key)


def resting(venue: ScriptedVenue) -> Decimal:
    """What may still fill at the venue."""
    reports = [report for report in venue.orders.values() if report.status in {OPEN, OrderStatus.PARTIALLY_FILLED}]
    return sum((report.quantity - report.filled_quantity for report in reports), D(0))


async def test_an_amended_order_is_replaced_by_a_new_one(amending: OrderHarness, venue: ScriptedVenue) -> None:
    await amending.start()
    order = await amending.limit(quantity=D(2))
    amended = await amend(amending, order, price=D(95), quantity=D(3))
    assert (amended.status, amended.price, amended.quantity, amended.replaces_id) == (OPEN, D(95), D(3), order.id)
    before = await amending.read(order.id)
    assert (before.status, before.cancel_code) == (CANCELED, CancelCode.AMENDED)
    assert await amending.kinds(amended.id) == ["PENDING", "SUBMITTED", "ACCEPTED"]
    assert await amending.kinds(order.id) == ["PENDING", "SUBMITTED", "ACCEPTED", "PENDING_CANCEL", "CANCELED"]
    assert resting(venue) == D(3)
    assert venue.replacements == int(venue.replaces_at_once)


async def test_the_amended_quantity_counts_what_the_order_has_filled(
    amending: OrderHarness, venue: ScriptedVenue
) -> None:
    await amending.start()
    order = await amending.limit(quantity=D(4))
    venue.fill(order.client_order_id, 1)
    await amending.until(order.id, "PARTIALLY_FILLED")
    amended = await amend(amending, order, quantity=D(6))
    assert (amended.status, amended.quantity) == (OPEN, D(5))
    assert (await amending.read(order.id)).filled_quantity == D(1)
    assert venue.replacements == 0  # a fill while it is replaced would come on top


async def test_a_fill_that_comes_with_the_cancel_is_taken_off_the_new_order(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    order = await harness.limit(quantity=D(4))
    venue.publishes_on_stream = False
    venue.fill(order.client_order_id, 3)  # nobody has been told yet
    amended = await amend(harness, order, price=D(91))
    assert (amended.status, amended.quantity, resting(venue)) == (OPEN, D(1), D(1))
    assert (await harness.read(order.id)).filled_quantity == D(3)


async def test_a_fill_just_before_the_venue_replaces_leaves_the_order_as_it_is(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.replaces_at_once = True
    await harness.start()
    order = await harness.limit(quantity=D(4))
    venue.before_replacement = lambda: venue.fill(order.client_order_id, 1) and None
    amended = await amend(harness, order, price=D(91))
    assert amended.status is OrderStatus.REJECTED
    after = await harness.until(order.id, "PARTIALLY_FILLED")
    assert (after.cancel_requested_at, resting(venue)) == (None, D(3))
    venue.before_replacement = lambda: None
    assert (await amend(harness, order, "again", price=D(91))).quantity == D(3)


async def test_an_order_that_fills_before_it_is_replaced_leaves_nothing_to_amend(
    amending: OrderHarness, venue: ScriptedVenue
) -> None:
    await amending.start()
    order = await amending.limit()
    venue.publishes_on_stream = False
    venue.fill(order.client_order_id, 1)
    amended = await amend(amending, order, quantity=D(2))
    assert amended.status in {CANCELED, OrderStatus.REJECTED}
    assert (await amending.until(order.id, "FILLED")).filled_quantity == D(1)
    assert len(venue.received) == 1


async def test_a_total_that_has_filled_meanwhile_ends_the_order_and_places_nothing(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    order = await harness.limit(quantity=D(4))
    venue.publishes_on_stream = False
    venue.fill(order.client_order_id, 3)
    amended = await amend(harness, order, quantity=D(2))
    assert (amended.status, amended.cancel_code) == (CANCELED, CancelCode.NOT_REPLACED)
    assert (resting(venue), len(venue.received)) == (D(0), 1)


async def test_the_same_key_answers_with_the_same_order_and_another_input_conflicts(amending: OrderHarness) -> None:
    await amending.start()
    order = await amending.limit()
    first = await amend(amending, order, price=D(91))
    again = await amend(amending, order, price=Decimal("91.0"))
    assert (again.id, again.status) == (first.id, OPEN)
    with pytest.raises(InputError) as caught:
        await amend(amending, order, price=D(92))
    assert caught.value.code is ErrorCode.CONFLICT


async def test_of_many_amendments_at_once_one_is_carried_out(amending: OrderHarness, venue: ScriptedVenue) -> None:
    await amending.start()
    order = await amending.limit()
    results = await asyncio.gather(
        *(amend(amending, order, f"k{number}", price=D(80 + number)) for number in range(8)), return_exceptions=True
    )
    amended = [result for result in results if isinstance(result, Order)]
    refused = [result for result in results if isinstance(result, InputErrors)]
    assert (len(amended), len(refused)) == (1, 7)
    assert {error.code for result in refused for error in result.errors} == {ErrorCode.CONFLICT}
    assert resting(venue) == D(1)


async def test_an_amended_order_is_amended_again_and_again(amending: OrderHarness, venue: ScriptedVenue) -> None:
    await amending.start()
    order = await amending.limit(quantity=D(2))
    for number in range(10):
        order = await amend(amending, order, f"k{number}", price=D(80 + number))
        assert order.status is OPEN
    assert (resting(venue), len(venue.received)) == (D(2), 11)


async def test_an_order_that_was_not_sent_yet_is_replaced_without_the_venue(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    order = await harness.limit()
    amended = await amend(harness, order, price=D(91))
    assert ((await harness.read(order.id)).status, amended.status) == (CANCELED, PENDING)
    await harness.start()
    await harness.until(amended.id, "OPEN")
    assert venue.received == [amended.client_order_id]


async def test_an_order_in_doubt_is_amended_once_the_venue_has_reported_it(
    amending: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.fates.append(Fate.SWALLOWED)
    venue.unreachable = False
    venue.publishes_on_stream = False
    await amending.start()
    order = await amending.limit()
    amended = await amend(amending, order, price=D(91))
    assert (amended.status, resting(venue)) == (OPEN, D(1))


@pytest.mark.parametrize("fate", [Fate.LOST, Fate.SWALLOWED])
async def test_a_lost_answer_to_the_cancel_is_asked_for_before_anything_is_placed(
    harness: OrderHarness, venue: ScriptedVenue, fate: Fate
) -> None:
    venue.cancel_fates.append(fate)
    venue.publishes_on_stream = False
    await harness.start()
    order = await harness.limit()
    amended = await amend(harness, order, price=D(91))
    amended = await harness.until(amended.id, "OPEN")
    assert ((await harness.read(order.id)).status, resting(venue)) == (CANCELED, D(1))


async def test_a_replacement_whose_answer_is_lost_is_found_by_both_ids(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.replaces_at_once, venue.publishes_on_stream = True, False
    venue.replace_fates.append(Fate.SWALLOWED)
    await harness.start()
    order = await harness.limit()
    amended = await amend(harness, order, price=D(91))
    assert (await harness.until(amended.id, "OPEN")).price == D(91)
    assert (await harness.until(order.id, "CANCELED")).cancel_code is CancelCode.AMENDED
    assert (resting(venue), venue.replacements) == (D(1), 1)


async def test_a_replacement_that_never_arrived_puts_the_order_back(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.replaces_at_once, venue.publishes_on_stream = True, False
    venue.replace_fates.append(Fate.LOST)
    await harness.start()
    order = await harness.limit()
    amended = await amend(harness, order, price=D(91))
    assert (await harness.until(amended.id, "REJECTED")).absences == 3
    after = await harness.until(order.id, "OPEN")
    assert (after.cancel_requested_at, after.cancel_code, resting(venue)) == (None, None, D(1))
    assert venue.cancel_attempts == 0
    assert (await amend(harness, order, "again", price=D(92))).status is OPEN


async def test_a_new_order_that_the_venue_refuses_after_the_cancel_is_reported_as_rejected(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.replaces_at_once = True
    venue.replace_fates.append(Fate.REFUSED_AFTER_CANCEL)
    await harness.start()
    order = await harness.limit()
    amended = await amend(harness, order, price=D(91))
    assert (amended.status, amended.reject_reason) == (OrderStatus.REJECTED, "insufficient balance")
    assert ((await harness.read(order.id)).status, resting(venue)) == (CANCELED, D(0))


@pytest.mark.parametrize(
    ("fate", "status", "left"),
    [(Fate.HANGS_BEFORE, "REJECTED", OPEN), (Fate.HANGS_AFTER, "OPEN", CANCELED)],
)
async def test_a_crash_while_the_venue_replaces_is_settled_by_asking(
    harness: OrderHarness, venue: ScriptedVenue, fate: Fate, status: str, left: OrderStatus
) -> None:
    venue.replaces_at_once = True
    venue.replace_fates.append(fate)
    await harness.start()
    order = await harness.limit()
    amended = await amending_until_it_hangs(harness, venue, order)
    await harness.kill()
    await harness.start()
    await harness.until(amended.id, status)
    await harness.until(order.id, left.value)
    assert (resting(venue), venue.replacements) == (D(1), 1)


@pytest.mark.parametrize("fate", [Fate.HANGS_BEFORE, Fate.HANGS_AFTER])
async def test_a_crash_between_cancel_and_new_order_is_carried_through(
    harness: OrderHarness, venue: ScriptedVenue, fate: Fate
) -> None:
    venue.cancel_fates.append(fate)
    await harness.start()
    order = await harness.limit(quantity=D(3))
    venue.fill(order.client_order_id, 1)
    await harness.until(order.id, "PARTIALLY_FILLED")
    amended = await amending_until_it_hangs(harness, venue, order)
    await harness.kill()
    harness.timings = replace(harness.timings, maximum_amendment_age=0)
    await harness.start()
    assert (await harness.until(amended.id, "OPEN")).quantity == D(2)
    assert ((await harness.read(order.id)).status, resting(venue)) == (CANCELED, D(2))


async def amending_until_it_hangs(harness: OrderHarness, venue: ScriptedVenue, order: Order) -> Order:
    task = asyncio.create_task(amend(harness, order, price=D(91)))
    await eventually(venue.hanging.is_set, "the request hangs at the venue")
    async with harness.database.read_only() as reading:
        (amended,) = await reading.orders.list_replacements([order.id])
    task.cancel()
    return amended


async def test_an_amendment_that_waited_through_a_stop_is_not_carried_out_late(harness: OrderHarness) -> None:
    await harness.start()
    order = await harness.limit()
    await harness.kill()
    amended = await amend(harness, order, price=D(91))
    harness.timings = replace(harness.timings, maximum_amendment_age=0)
    await harness.start()
    assert (await harness.until(amended.id, "CANCELED")).cancel_code is CancelCode.NOT_REPLACED
    assert (await harness.read(order.id)).status is OPEN


async def test_an_amendment_that_fails_the_risk_checks_leaves_the_order_alone(
    amending: OrderHarness, venue: ScriptedVenue
) -> None:
    await amending.start()
    order = await amending.limit()
    amended = await amend(amending, order, price=Decimal("91.001"))
    assert [denial.code for denial in amended.denials] == [RiskCode.PRICE_PRECISION]
    assert ((await amending.read(order.id)).status, venue.cancel_attempts, venue.replacements) == (OPEN, 0, 0)


async def test_what_the_order_holds_is_free_for_the_amendment(amending: OrderHarness, venue: ScriptedVenue) -> None:
    await amending.start()
    order = await amending.limit(price="90", quantity=D(10))
    async with amending.database.transaction() as transaction:
        await transaction.accounts.replace_balances(amending.account.id, (Balance("USDT", D(1000), D(100)),))
    too_much = await amend(amending, order, "more", quantity=D(12))
    assert [denial.code for denial in too_much.denials] == [RiskCode.INSUFFICIENT_BALANCE]
    assert (await amend(amending, order, "fits", quantity=D(11))).status is OPEN


async def test_nothing_is_amended_under_a_halt(amending: OrderHarness) -> None:
    await amending.start()
    order = await amending.limit()
    halt = Halt(
        HaltLevel.ACCOUNT, amending.account.id, TradingState.HALTED, amending.clock.now(), HaltAuthor.SELF, reason=None
    )
    async with amending.database.transaction() as transaction:
        await transaction.halts.put(halt)
    amended = await amend(amending, order, price=D(91))
    assert [denial.code for denial in amended.denials] == [RiskCode.TRADING_HALTED]
    assert (await amending.read(order.id)).status is OPEN


async def test_who_cancels_an_order_cancels_its_amendment_too(harness: OrderHarness, venue: ScriptedVenue) -> None:
    venue.cancel_fates.append(Fate.HANGS_BEFORE)
    await harness.start()
    order = await harness.limit()
    amended = await amending_until_it_hangs(harness, venue, order)
    canceling = asyncio.create_task(harness.service.cancel(harness.user.id, order.id))
    await harness.until(amended.id, "CANCELED")
    await harness.restart()
    assert (await canceling).status is CANCELED
    after = await harness.read(amended.id)
    assert (after.status, after.cancel_code, resting(venue)) == (CANCELED, CancelCode.REQUESTED, D(0))
    assert (await harness.read(order.id)).cancel_code is CancelCode.REQUESTED


async def test_who_cancels_everything_gets_no_amended_order_afterwards(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.cancel_fates.append(Fate.HANGS_BEFORE)
    await harness.start()
    order = await harness.limit()
    amended = await amending_until_it_hangs(harness, venue, order)
    asked = await harness.service.cancel_all(harness.user.id, harness.account.id)
    assert {found.id for found in asked} == {order.id, amended.id}
    await harness.kill()
    await harness.start()
    await harness.until(order.id, "CANCELED")
    await harness.until(amended.id, "CANCELED")
    assert resting(venue) == D(0)


async def test_a_stop_order_is_amended(amending: OrderHarness) -> None:
    await amending.start()
    stop = await amending.place(type=OrderType.STOP, stop_price=D(110))
    amended = await amend(amending, stop, stop_price=D(120))
    assert (amended.status, amended.stop_price, amended.price) == (OPEN, D(120), None)


async def test_a_lease_that_is_lost_while_the_venue_replaces_is_no_error_and_the_next_holder_finds_both_orders(
    harness: OrderHarness, venue: ScriptedVenue, caplog: pytest.LogCaptureFixture
) -> None:
    venue.replaces_at_once = True
    await harness.start()
    order = await harness.limit(quantity=D(2))
    held = harness.lease

    def lose() -> None:
        harness.lease = None

    venue.before_replacement = lose
    amended = await amend(harness, order, price=D(95))
    await eventually(harness.task.done, "the executor has ended")
    assert type(harness.take_error()).__name__ == "StaleLease"
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
    assert held is not None
    async with harness.database.transaction() as transaction:
        await transaction.leases.release(held)
    await harness.start()
    await harness.until(amended.id, "OPEN")
    await harness.until(order.id, "CANCELED")
    assert resting(venue) == D(2)
