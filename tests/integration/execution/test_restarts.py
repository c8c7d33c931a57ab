"""Killed at any step of an order's life, and started again on the same database and venue."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from domain.execution.executor import AccountExecutor
from domain.model.orders import OrderStatus, OrderType
from domain.ports.execution_client import CredentialsRejected
from domain.ports.market_data import RequestRejected, VenueUnreachable
from domain.rules.order_lifecycle import Step
from infra.runtime.retention import purge_expired
from tests.support.order_harness import OrderHarness
from tests.support.scripted_venue import Fate, ScriptedVenue
from tests.support.waiting import eventually


async def test_a_young_order_that_was_not_sent_is_sent_by_the_next_run(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    order = await floor.place()
    await floor.start()
    await floor.until(order.id, "FILLED")
    assert venue.received == [order.client_order_id]


async def test_an_old_order_that_was_not_sent_is_cancelled_by_the_next_run(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    order = await floor.place()
    async with floor.database.transaction() as transaction:
        old = replace(
            order, id=floor.ids.next_id(), client_order_id="r3-old", created_at=order.created_at - timedelta(5)
        )
        await transaction.orders.add(old)
    await floor.start()
    await floor.until(order.id, "FILLED")
    assert (await floor.until(old.id, "CANCELED")).id == old.id
    assert venue.received == [order.client_order_id]


@pytest.mark.parametrize("type_", [OrderType.MARKET, OrderType.LIMIT])
@pytest.mark.parametrize(
    ("fate", "arrived"),
    [(Fate.HANGS_BEFORE, False), (Fate.HANGS_AFTER, True)],
    ids=["before sending", "before reading"],
)
async def test_killed_while_sending_the_order_is_at_the_venue_once_or_never(
    floor: OrderHarness, venue: ScriptedVenue, fate: Fate, type_: OrderType, *, arrived: bool
) -> None:
    venue.fates.append(fate)
    venue.tells_by_stream = False
    await floor.start()
    price = Decimal(90) if type_ is OrderType.LIMIT else None
    placing = asyncio.create_task(floor.place(type=type_, price=price))
    await venue.hanging.wait()
    await floor.kill()
    order = await placing
    assert order.status is OrderStatus.SUBMITTED
    await floor.start()
    outcome = ("FILLED" if type_ is OrderType.MARKET else "OPEN") if arrived else "REJECTED"
    order = await floor.until(order.id, outcome)
    assert venue.received == [order.client_order_id] * arrived
    assert sum((fill.quantity for fill in await floor.fills(order.id)), Decimal(0)) == order.filled_quantity
    assert "IN_DOUBT" in await floor.kinds(order.id)


@pytest.mark.parametrize("fate", [Fate.HANGS_BEFORE, Fate.HANGS_AFTER], ids=["before sending", "before reading"])
async def test_killed_while_cancelling_the_order_is_cancelled_by_the_next_run(
    floor: OrderHarness, venue: ScriptedVenue, fate: Fate
) -> None:
    venue.cancel_fates.append(fate)
    venue.tells_by_stream = False
    await floor.start()
    order = await floor.limit()
    cancelling = asyncio.create_task(floor.service.cancel(floor.user.id, order.id))
    await venue.hanging.wait()
    await floor.kill()
    assert (await cancelling).status is OrderStatus.PENDING_CANCEL
    await floor.start()
    await floor.until(order.id, "CANCELED")


async def test_a_cancel_asked_for_while_nobody_ran_is_carried_out(floor: OrderHarness, venue: ScriptedVenue) -> None:
    await floor.start()
    order = await floor.limit()
    await floor.kill()
    assert (await floor.service.cancel(floor.user.id, order.id)).status is OrderStatus.OPEN
    await floor.start()
    await floor.until(order.id, "CANCELED")


async def test_what_happened_while_nobody_ran_is_caught_up(floor: OrderHarness, venue: ScriptedVenue) -> None:
    await floor.start()
    filled, partly, ended = [await floor.limit(f"k{number}") for number in range(3)]
    await floor.kill()
    venue.fill(filled.client_order_id, 1, "89")
    venue.fill(partly.client_order_id, "0.3")
    venue.end(ended.client_order_id, OrderStatus.EXPIRED)
    await floor.start()
    assert (await floor.read(filled.id)).average_price == 89
    assert (await floor.read(partly.id)).status is OrderStatus.PARTIALLY_FILLED
    assert (await floor.read(ended.id)).status is OrderStatus.EXPIRED
    (position,) = await floor.positions()
    assert position.quantity == Decimal("1.3")


async def test_a_late_fill_that_nobody_heard_of_is_found_by_the_trades(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    await floor.start()
    order = await floor.limit()
    await floor.service.cancel(floor.user.id, order.id)
    await floor.kill()
    venue.fill(order.client_order_id, "0.25")
    await floor.start()
    assert (await floor.read(order.id)).filled_quantity == Decimal("0.25")


async def test_until_reconciled_orders_wait_and_are_then_denied(floor: OrderHarness, venue: ScriptedVenue) -> None:
    venue.unreachable = True
    floor.timing = replace(floor.timing, unreconciled_wait=0.1)
    await floor.start_unreconciled()
    order = await floor.place()
    assert "NOT_RECONCILED" in [denial.code.value for denial in order.denials]
    await floor.kill()
    floor.timing = replace(floor.timing, unreconciled_wait=3600)
    executor = await floor.start_unreconciled()
    waiting = asyncio.create_task(floor.place("k2"))
    await _looked_at(executor)
    venue.unreachable = False
    assert (await waiting).status is OrderStatus.FILLED


@pytest.mark.parametrize("refusal", [CredentialsRejected("Invalid API-key (-2015)"), RequestRejected("not for you")])
async def test_a_venue_that_says_no_for_good_is_told_once_and_again_when_it_has_agreed_in_between(
    floor: OrderHarness, venue: ScriptedVenue, refusal: VenueUnreachable
) -> None:
    floor.timing = replace(floor.timing, unreconciled_wait=0.1)
    for times in (1, 1, 2):
        venue.refusal = refusal
        executor = await floor.start_unreconciled()
        await eventually(lambda executor=executor: executor._desk.refusal is not None, "it is refused")  # type: ignore[misc]
        order = await floor.place(f"k{floor._starts}")
        assert f"{refusal}." in next(denial.message for denial in order.denials)
        assert len(await floor.alerts()) == times
        assert str(refusal) in (await floor.alerts())[-1]
        venue.refusal = None if floor._starts > 1 else refusal
        if venue.refusal is None:
            await eventually(lambda executor=executor: executor.reconciled, "it agrees again")  # type: ignore[misc]
        await floor.kill()


async def _looked_at(executor: AccountExecutor) -> None:
    """Return when the executor has looked at an order that waits and has gone on."""
    looks = []
    decide = executor._decide

    async def noted(*facts: Any, **options: Any) -> Step:
        looks.append(await decide(*facts, **options))
        return looks[-1]

    executor._decide = noted  # type: ignore[method-assign]
    await eventually(lambda: len(looks) > 1, "the order is looked at again and again")
    assert all(look.order.status is OrderStatus.PENDING for look in looks)


async def test_a_foreign_order_is_told_once_and_left_alone(floor: OrderHarness, venue: ScriptedVenue) -> None:
    venue._receive(_foreign(await floor.place()))
    await floor.start()
    alerts = await floor.alerts()
    assert len(alerts) == 1
    assert "somebody else: BUY 1 sandbox:BTC/USDT" in alerts[0]
    assert venue.orders["theirs"].status is OrderStatus.OPEN


async def test_a_foreign_order_that_rests_for_years_is_told_once(floor: OrderHarness, venue: ScriptedVenue) -> None:
    venue._receive(_foreign(await floor.place()))
    for _ in range(3):
        await floor.start()
        await purge_expired(floor.database, floor.clock)
        assert len(await floor.alerts()) == 1
        await floor.kill()
        async with floor.database._pool.acquire() as driver:
            await driver.execute("UPDATE account_alerts SET raised_at = raised_at - interval '500 days'")


async def test_old_fills_of_our_own_are_nobody_elses_however_often_they_are_told(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    await floor.start()
    await floor.limit("rests")
    for number in range(5):
        await floor.place(f"filled {number}")
    await floor.kill()
    await _age(floor)
    executor = await floor.start()
    executor._reconciler.want()
    await eventually(lambda: len(venue.asked_since) >= 2 and executor.reconciled, "it reconciles again")
    assert await floor.alerts() == []


async def test_a_fill_that_was_missed_is_counted_for_its_old_order(floor: OrderHarness, venue: ScriptedVenue) -> None:
    await floor.start()
    await floor.limit("rests")
    old = await floor.limit("ended")
    await floor.service.cancel(floor.user.id, old.id)
    await floor.until(old.id, "CANCELED")
    await floor.kill()
    await _age(floor)
    venue.tells_by_stream = False
    venue.fill(old.client_order_id, "0.4", "90")
    await floor.start()
    assert [fill.quantity for fill in await floor.fills(old.id)] == [Decimal("0.4")]
    assert await floor.alerts() == []


async def test_a_foreign_fill_is_told_once_whatever_restarts_in_between(
    floor: OrderHarness, venue: ScriptedVenue
) -> None:
    await floor.start()
    ours = await floor.limit("rests")
    await floor.kill()
    venue.tells_by_stream = False
    venue._receive(replace(_foreign(ours), type=OrderType.MARKET))  # type: ignore[type-var]
    for _ in range(3):
        executor = await floor.start()
        executor._reconciler.want()
        await eventually(lambda executor=executor: executor.reconciled, "it reconciles again")  # type: ignore[misc]
        await floor.kill()
    assert await floor.alerts() == ["The venue has a fill of somebody else's order: BUY 1 sandbox:BTC/USDT."]
    venue._receive(replace(_foreign(ours), client_order_id="theirs too"))  # type: ignore[type-var]
    await floor.start()
    assert len(await floor.alerts()) == 2


async def _age(floor: OrderHarness) -> None:
    """Let all that happened lie hours back for the engine, but not for the venue."""
    async with floor.database._pool.acquire() as driver:
        await driver.execute(
            "UPDATE orders SET created_at = created_at - interval '5 h', updated_at = updated_at - interval '3 h'"
        )


async def test_a_foreign_order_is_cancelled_where_so_configured(floor: OrderHarness, venue: ScriptedVenue) -> None:
    venue._receive(_foreign(await floor.place()))
    floor.cancel_foreign = True
    await floor.start()
    await eventually(lambda: venue.orders["theirs"].status is OrderStatus.CANCELED, "the foreign order is cancelled")


async def test_balances_are_the_venues_after_reconciling(floor: OrderHarness, venue: ScriptedVenue) -> None:
    await floor.start()
    async with floor.database.read_only() as transaction:
        stored = (await transaction.accounts.balances([floor.account.id]))[floor.account.id]
        account = await transaction.accounts.by_id(floor.account.id)
    assert {balance.currency: balance.total for balance in stored} == {"BTC": 10, "USDT": 100_000}
    assert account is not None
    assert account.reconciled_at is not None


def _foreign(order: object) -> object:
    return replace(order, client_order_id="theirs", type=OrderType.LIMIT, price=Decimal(50))  # type: ignore[type-var]
