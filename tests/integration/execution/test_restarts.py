"""Killed at any step of an order's life, and started again on the same database and venue."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from domain.execution.account_context import Decision
from domain.execution.order_steps import Decisions
from domain.model.orders import Order, OrderStatus, OrderType
from domain.ports.execution_client import CredentialsRejected, StreamOpened
from domain.ports.market_data import RequestRejected, VenueUnreachable
from infra.runtime.retention import purge_expired
from tests.support.order_harness import OrderHarness
from tests.support.scripted_venue import Fate, ScriptedVenue
from tests.support.waiting import eventually, read_until


async def test_a_young_order_that_was_not_sent_is_sent_by_the_next_run(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    order = await harness.place()
    await harness.start()
    await harness.until(order.id, "FILLED")
    assert venue.received == [order.client_order_id]


async def test_an_old_order_that_was_not_sent_is_cancelled_by_the_next_run(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    order = await harness.place()
    async with harness.database.transaction() as transaction:
        old = replace(order, id=harness.ids.next_id(), client_order_id="r3-old")
        await transaction.orders.add(old)
    async with harness.pool.acquire() as driver:
        await driver.execute("UPDATE orders SET placed_at = placed_at - interval '5 days' WHERE id = $1", old.id)
    await harness.start()
    await harness.until(order.id, "FILLED")
    assert (await harness.until(old.id, "CANCELED")).id == old.id
    assert venue.received == [order.client_order_id]


@pytest.mark.parametrize("type_", [OrderType.MARKET, OrderType.LIMIT])
@pytest.mark.parametrize(
    ("fate", "arrived"),
    [(Fate.HANGS_BEFORE, False), (Fate.HANGS_AFTER, True)],
    ids=["before sending", "before reading"],
)
async def test_killed_while_sending_the_order_is_at_the_venue_once_or_never(
    harness: OrderHarness, venue: ScriptedVenue, fate: Fate, type_: OrderType, *, arrived: bool
) -> None:
    venue.fates.append(fate)
    venue.publishes_on_stream = False
    await harness.start()
    price = Decimal(90) if type_ is OrderType.LIMIT else None
    placing = asyncio.create_task(harness.place(type=type_, price=price))
    await venue.hanging.wait()
    await harness.kill()
    order = await placing
    assert order.status is OrderStatus.SUBMITTED
    await harness.start()
    outcome = ("FILLED" if type_ is OrderType.MARKET else "OPEN") if arrived else "REJECTED"
    order = await harness.until(order.id, outcome)
    assert venue.received == [order.client_order_id] * arrived
    assert sum((fill.quantity for fill in await harness.fills(order.id)), Decimal(0)) == order.filled_quantity
    assert "IN_DOUBT" in await harness.kinds(order.id)


@pytest.mark.parametrize("fate", [Fate.HANGS_BEFORE, Fate.HANGS_AFTER], ids=["before sending", "before reading"])
async def test_killed_while_cancelling_the_order_is_cancelled_by_the_next_run(
    harness: OrderHarness, venue: ScriptedVenue, fate: Fate
) -> None:
    venue.cancel_fates.append(fate)
    venue.publishes_on_stream = False
    await harness.start()
    order = await harness.limit()
    cancelling = asyncio.create_task(harness.service.cancel(harness.user.id, order.id))
    await venue.hanging.wait()
    await harness.kill()
    assert (await cancelling).status is OrderStatus.PENDING_CANCEL
    await harness.start()
    await harness.until(order.id, "CANCELED")


async def test_a_cancel_requested_while_no_executor_ran_is_carried_out(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    order = await harness.limit()
    await harness.kill()
    assert (await harness.service.cancel(harness.user.id, order.id)).status is OrderStatus.OPEN
    await harness.start()
    await harness.until(order.id, "CANCELED")


async def test_what_happened_while_nobody_ran_is_caught_up(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    filled, partly, ended = [await harness.limit(f"k{number}") for number in range(3)]
    await harness.kill()
    venue.fill(filled.client_order_id, 1, "89")
    venue.fill(partly.client_order_id, "0.3")
    venue.end(ended.client_order_id, OrderStatus.EXPIRED)
    await harness.start()
    assert (await harness.read(filled.id)).average_price == 89
    assert (await harness.read(partly.id)).status is OrderStatus.PARTIALLY_FILLED
    assert (await harness.read(ended.id)).status is OrderStatus.EXPIRED
    (position,) = await harness.positions()
    assert position.quantity == Decimal("1.3")


async def test_a_late_fill_that_no_stream_reported_is_found_by_the_trades(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    order = await harness.limit()
    await harness.service.cancel(harness.user.id, order.id)
    await harness.kill()
    venue.fill(order.client_order_id, "0.25")
    await harness.start()
    assert (await harness.read(order.id)).filled_quantity == Decimal("0.25")


async def test_until_reconciled_orders_wait_and_are_then_denied(harness: OrderHarness, venue: ScriptedVenue) -> None:
    venue.unreachable = True
    harness.timings = replace(harness.timings, unreconciled_wait=0.1)
    await harness.start_unreconciled()
    order = await harness.place()
    assert "NOT_RECONCILED" in [denial.code.value for denial in order.denials]
    await harness.kill()
    harness.timings = replace(harness.timings, unreconciled_wait=3600)
    await harness.start_unreconciled()
    waiting = asyncio.create_task(harness.place("k2"))
    await _decided_repeatedly(harness)
    venue.unreachable = False
    assert (await waiting).status is OrderStatus.FILLED


@pytest.mark.parametrize("refusal", [CredentialsRejected("Invalid API-key (-2015)"), RequestRejected("not for you")])
async def test_a_venue_that_refuses_everything_raises_one_alert_and_another_after_it_has_agreed(
    harness: OrderHarness, venue: ScriptedVenue, refusal: VenueUnreachable
) -> None:
    harness.timings = replace(harness.timings, unreconciled_wait=0.1)
    for times in (1, 1, 2):
        venue.refusal = refusal
        executor = await harness.start_unreconciled()
        await eventually(lambda: harness.context.refusal is not None, "it is refused")
        order = await harness.place(f"k{harness.starts}")
        assert f"{refusal}." in next(denial.message for denial in order.denials)
        alerts = await harness.until_alerts(times)
        assert len(alerts) == times
        assert str(refusal) in alerts[-1]
        venue.refusal = None if harness.starts > 1 else refusal
        if venue.refusal is None:
            await eventually(lambda executor=executor: executor.reconciled, "it agrees again")  # type: ignore[misc]
        await harness.kill()


async def _decided_repeatedly(harness: OrderHarness) -> None:
    """Return when the executor has read a waiting order several times, and has left it as it was."""
    orders = []
    decide = harness.context.decide

    async def noted(turn: Sequence[Order], decision: Decision) -> Decisions | None:
        orders.extend(turn)
        return await decide(turn, decision)

    harness.context.decide = noted  # type: ignore[method-assign]
    await eventually(lambda: len(orders) > 2, "the order is read again and again")
    assert all(order.status is OrderStatus.PENDING for order in orders)


async def test_a_foreign_order_raises_one_alert_and_is_left_alone(harness: OrderHarness, venue: ScriptedVenue) -> None:
    venue.receive(_foreign(await harness.place()))
    await harness.start()
    alerts = await harness.until_alerts(1)
    assert len(alerts) == 1
    assert "somebody else: BUY 1 sandbox:BTC/USDT" in alerts[0]
    assert venue.orders["theirs"].status is OrderStatus.OPEN


async def test_a_foreign_order_that_rests_for_years_raises_one_alert(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    venue.receive(_foreign(await harness.place()))
    renewed = "SELECT count(*) FROM account_alerts WHERE account_id = $1 AND raised_at > now() - interval '1 day'"
    for _ in range(3):
        await harness.start()
        await read_until(
            lambda: harness.pool.fetchval(renewed, harness.account.id), lambda count: count == 1, "the alert is renewed"
        )
        assert len(await harness.until_alerts(1)) == 1
        await purge_expired(harness.database, harness.clock)
        await harness.kill()
        async with harness.pool.acquire() as driver:
            await driver.execute("UPDATE account_alerts SET raised_at = raised_at - interval '500 days'")


async def test_old_fills_of_our_own_are_not_foreign_however_often_they_are_reported(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    await harness.limit("rests")
    for number in range(5):
        await harness.place(f"filled {number}")
    await harness.kill()
    await _age(harness)
    executor = await harness.start()
    venue.publish(StreamOpened())
    await eventually(lambda: len(venue.queried_since) >= 2 and executor.reconciled, "it reconciles again")
    assert await harness.alerts() == []


async def test_a_fill_that_was_missed_is_counted_for_its_old_order(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    await harness.limit("rests")
    old = await harness.limit("ended")
    await harness.service.cancel(harness.user.id, old.id)
    await harness.until(old.id, "CANCELED")
    await harness.kill()
    await _age(harness)
    venue.publishes_on_stream = False
    venue.fill(old.client_order_id, "0.4", "90")
    await harness.start()
    assert [fill.quantity for fill in await harness.fills(old.id)] == [Decimal("0.4")]
    (alert,) = await harness.alerts()
    assert alert.startswith(f"A fill of order {old.client_order_id} came after the order had ended")


async def test_a_foreign_fill_raises_one_alert_across_restarts(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    ours = await harness.limit("rests")
    await harness.kill()
    venue.publishes_on_stream = False
    venue.receive(replace(_foreign(ours), type=OrderType.MARKET))  # type: ignore[type-var]
    for _ in range(3):
        executor = await harness.start()
        queries_before = len(venue.queried_since)
        venue.publish(StreamOpened())
        await eventually(
            lambda executor=executor, before=queries_before: len(venue.queried_since) > before and executor.reconciled,  # type: ignore[misc]
            "it reconciles again",
        )
        await harness.until_alerts(1)
        await harness.kill()
    assert await harness.alerts() == ["The venue has a fill of somebody else's order: BUY 1 sandbox:BTC/USDT."]
    venue.receive(replace(_foreign(ours), client_order_id="theirs too"))  # type: ignore[type-var]
    await harness.start()
    assert len(await harness.until_alerts(2)) == 2


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)], ids=["ahead", "behind"])
async def test_a_reconciliation_begins_where_the_last_one_ended_whatever_the_clock_of_the_node_did(
    harness: OrderHarness, venue: ScriptedVenue, ahead: timedelta
) -> None:
    harness.clock.ahead = ahead
    await harness.start()
    order = await harness.place()
    agreed = venue.venue_now()
    await harness.kill()
    async with harness.database.read_only() as reading:
        stored = await reading.accounts.by_id(harness.account.id)
        assert stored is not None
    assert (await harness.read(order.id)).venue_submitted_at <= agreed
    harness.account = stored
    harness.clock.ahead = timedelta(0)
    venue.queried_since.clear()
    await harness.start()
    assert agreed - timedelta(minutes=10) < min(venue.queried_since)
    assert max(venue.queried_since) <= agreed


async def _age(harness: OrderHarness) -> None:
    """Let all that happened lie hours back for the engine, but not for the venue."""
    async with harness.pool.acquire() as driver:
        await driver.execute(
            "UPDATE orders SET created_at = created_at - interval '5 h', updated_at = updated_at - interval '3 h'"
        )


async def test_a_foreign_order_is_cancelled_if_so_configured(harness: OrderHarness, venue: ScriptedVenue) -> None:
    venue.receive(_foreign(await harness.place()))
    harness.cancel_foreign = True
    await harness.start()
    await eventually(lambda: venue.orders["theirs"].status is OrderStatus.CANCELED, "the foreign order is cancelled")


async def test_balances_are_the_venues_after_reconciling(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    async with harness.database.read_only() as transaction:
        stored = (await transaction.accounts.balances([harness.account.id]))[harness.account.id]
        account = await transaction.accounts.by_id(harness.account.id)
    assert {balance.currency: balance.total for balance in stored} == {"BTC": 10, "USDT": 100_000}
    assert account is not None
    assert account.reconciled_at is not None


async def test_an_order_that_another_account_of_the_engine_follows_is_never_cancelled_as_foreign(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    # Two keys of one account at the venue: each account of the engine sees the orders of the other.
    ours = await harness.place()
    neighbour = replace(harness.account, id=UUID(int=77), name="neighbour")
    theirs = replace(ours, id=UUID(int=78), account_id=neighbour.id, client_order_id="r3-" + "1" * 32)
    async with harness.database.transaction() as transaction:
        await transaction.accounts.add(neighbour, b"sealed")
        await transaction.orders.add(theirs)
    for client_order_id in (theirs.client_order_id, "r3-" + "2" * 32):
        venue.receive(replace(_foreign(ours), client_order_id=client_order_id))  # type: ignore[type-var]
    harness.cancel_foreign = True
    await harness.start()
    gone = venue.orders["r3-" + "2" * 32]
    await eventually(
        lambda: venue.orders[gone.client_order_id].status is OrderStatus.CANCELED,
        "the order of an engine that is no more is cancelled",
    )
    assert venue.orders[theirs.client_order_id].status is OrderStatus.OPEN


def _foreign(order: object) -> object:
    return replace(order, client_order_id="theirs", type=OrderType.LIMIT, price=Decimal(50))  # type: ignore[type-var]
