"""Two orders of which one ends the other: whatever becomes of their request, both are at the venue once or never."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest

from domain.execution.commands import cancel_order, place_order
from domain.model.client_order_ids import client_order_id
from domain.model.order_side import OrderSide
from domain.model.orders import CancelCode, Order, OrderRole, OrderStatus, OrderType, RejectCode, RiskCode
from domain.model.trading_state import Halt, HaltAuthor, HaltLevel, TradingState
from tests.support.order_harness import OrderHarness
from tests.support.orders import BTC, D
from tests.support.scripted_venue import Fate, ScriptedVenue
from tests.support.waiting import read_until

ONE = D(1)
OPEN, SUBMITTED, REJECTED = OrderStatus.OPEN, OrderStatus.SUBMITTED, OrderStatus.REJECTED


@pytest.fixture
async def holding(harness: OrderHarness) -> OrderHarness:
    """A harness whose account has bought 1, with its executor running."""
    await harness.start()
    await harness.place("entry")
    return harness


async def place(harness: OrderHarness, quantity: Decimal = ONE, **changes: object) -> list[Order]:
    """Store a group in one transaction, as the position keeper does, and wake the executor."""
    group_id, now = harness.ids.next_id(), harness.clock.now()
    legs = ((OrderRole.STOP_LOSS, OrderType.STOP, D(90)), (OrderRole.TAKE_PROFIT, OrderType.TAKE_PROFIT, D(110)))
    orders = []
    for role, type_, price in legs:
        order_id = harness.ids.next_id()
        order = Order(
            id=order_id,
            user_id=harness.user.id,
            account_id=harness.account.id,
            market=BTC,
            client_order_id=client_order_id(harness.account.id, "protection", str(order_id), role, 0),
            side=OrderSide.SELL,
            type=type_,
            role=role,
            quantity=quantity,
            created_at=now,
            updated_at=now,
            stop_price=price,
            reduce_only=True,
            group_id=group_id,
        )
        orders.append(replace(order, **changes))
    async with harness.database.transaction() as transaction:
        for order in orders:
            await place_order(transaction, order)
    await harness.notifier.notify_executor(harness.account.id)
    return orders


async def until_both(harness: OrderHarness, orders: Sequence[Order], status: OrderStatus) -> list[Order]:
    return [await harness.until(order.id, status) for order in orders]


async def test_both_are_sent_in_one_request_and_each_has_its_own_events(
    holding: OrderHarness, venue: ScriptedVenue
) -> None:
    sent = venue.sent
    orders = await place(holding)
    await until_both(holding, orders, OPEN)
    assert venue.sent == sent + 1
    assert venue.received[-2:] == [order.client_order_id for order in orders]
    for order in orders:
        assert await holding.kinds(order.id) == ["PENDING", "SUBMITTED", "ACCEPTED"]


async def test_both_close_the_same_position_once(holding: OrderHarness) -> None:
    orders = await place(holding)
    await until_both(holding, orders, OPEN)
    more = await holding.place("more", side=OrderSide.SELL, reduce_only=True)
    assert [denial.code for denial in more.denials] == [RiskCode.REDUCE_ONLY]
    await holding.place("again")
    half = await holding.place("half", side=OrderSide.SELL, reduce_only=True)
    assert half.status is OrderStatus.FILLED


async def test_a_group_that_closes_more_than_the_position_is_denied_as_a_whole(
    holding: OrderHarness, venue: ScriptedVenue
) -> None:
    sent = venue.sent
    orders = await place(holding, D(2))
    denied = await until_both(holding, orders, OrderStatus.DENIED)
    assert {denial.code for order in denied for denial in order.denials} == {RiskCode.REDUCE_ONLY}
    assert venue.sent == sent


async def test_a_refusal_is_that_of_both(holding: OrderHarness, venue: ScriptedVenue) -> None:
    venue.fates.append(Fate.REFUSED)
    venue.refusal_code = RejectCode.STOP_PRICE
    rejected = await until_both(holding, await place(holding), REJECTED)
    assert [order.reject_code for order in rejected] == [RejectCode.STOP_PRICE] * 2
    assert rejected[0].reject_reason == rejected[1].reject_reason


@pytest.mark.parametrize(("fate", "status"), [(Fate.LOST, REJECTED), (Fate.SWALLOWED, OPEN)])
async def test_a_request_without_an_answer_is_resolved_for_both_by_their_ids(
    holding: OrderHarness, venue: ScriptedVenue, fate: Fate, status: OrderStatus
) -> None:
    venue.fates.append(fate)
    venue.publishes_on_stream = False
    sent = venue.sent
    orders = await place(holding)
    for order in await until_both(holding, orders, status):
        assert "IN_DOUBT" in await holding.kinds(order.id)
    assert venue.sent == sent + 1


@pytest.mark.parametrize(("fate", "status"), [(Fate.HANGS_BEFORE, REJECTED), (Fate.HANGS_AFTER, OPEN)])
async def test_killed_while_sending_both_are_at_the_venue_once_or_never(
    holding: OrderHarness, venue: ScriptedVenue, fate: Fate, status: OrderStatus
) -> None:
    venue.fates.append(fate)
    venue.publishes_on_stream = False
    orders = await place(holding)
    await venue.hanging.wait()
    assert [(await holding.read(order.id)).status for order in orders] == [SUBMITTED, SUBMITTED]
    await holding.kill()
    await holding.start()
    await until_both(holding, orders, status)
    at_venue = [venue.received.count(order.client_order_id) for order in orders]
    assert at_venue == [int(status is OPEN)] * 2


async def test_killed_before_it_was_sent_a_young_group_is_sent_by_the_next_run(
    holding: OrderHarness, venue: ScriptedVenue
) -> None:
    await holding.kill()
    orders = await place(holding)
    await holding.start()
    await until_both(holding, orders, OPEN)
    assert venue.received[-2:] == [order.client_order_id for order in orders]


@pytest.mark.parametrize("which", [0, 1])
async def test_a_group_of_which_one_is_cancelled_before_it_was_sent_is_not_sent(
    holding: OrderHarness, venue: ScriptedVenue, which: int
) -> None:
    await holding.kill()
    orders = await place(holding)
    async with holding.database.transaction() as transaction:
        locked = await transaction.orders.get_for_update(orders[which].id)
        assert locked is not None
        await cancel_order(transaction, locked, CancelCode.REQUESTED, holding.clock.now())
    sent = venue.sent
    await holding.start()
    await until_both(holding, orders, OrderStatus.CANCELED)
    assert venue.sent == sent


async def test_the_fill_of_one_closes_the_position_and_the_other_ends(
    holding: OrderHarness, venue: ScriptedVenue
) -> None:
    stop, profit = await place(holding)
    await until_both(holding, (stop, profit), OPEN)
    venue.end(profit.client_order_id, OrderStatus.EXPIRED)
    venue.fill(stop.client_order_id, 1, "90")
    await holding.until(stop.id, "FILLED")
    await holding.until(profit.id, "EXPIRED")
    assert await holding.positions() == []


async def test_an_order_whose_other_has_ended_is_asked_for_if_its_message_was_lost(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    executor = await harness.start()
    await harness.place("entry")
    stop, profit = await place(harness)
    await until_both(harness, (stop, profit), OPEN)
    venue.publishes_on_stream = False
    venue.end(profit.client_order_id, OrderStatus.EXPIRED)
    executor.query_later(profit.id)
    await harness.until(profit.id, "EXPIRED")


async def test_cancelling_both_ends_both_though_the_first_cancel_has_ended_the_second(
    holding: OrderHarness, venue: ScriptedVenue
) -> None:
    orders = await place(holding)
    await until_both(holding, orders, OPEN)
    venue.cancel_fates.extend([Fate.ANSWERED, Fate.REFUSED])
    async with holding.database.transaction() as transaction:
        for order in orders:
            locked = await transaction.orders.get_for_update(order.id)
            assert locked is not None
            await cancel_order(transaction, locked, CancelCode.PROTECTION, holding.clock.now())
    for order in orders:
        venue.end(order.client_order_id, OrderStatus.CANCELED)
    await holding.notifier.notify_executor(holding.account.id)
    await until_both(holding, orders, OrderStatus.CANCELED)


def halt_of(harness: OrderHarness) -> Halt:
    now = harness.clock.now()
    return Halt(HaltLevel.ACCOUNT, harness.account.id, TradingState.HALTED, now, HaltAuthor.OPERATOR, None)


async def test_a_group_that_opens_risk_waits_for_a_halt_that_is_being_made_and_sees_it(
    holding: OrderHarness, venue: ScriptedVenue
) -> None:
    sent = venue.sent
    async with holding.database.transaction() as halting:
        await halting.halts.put(halt_of(holding))
        orders = await place(holding, role=OrderRole.MANUAL, reduce_only=False)

        async def is_decided_or_waits() -> bool:
            async with holding.pool.acquire() as connection:
                waiting = await connection.fetchval(
                    "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)"
                    " WHERE NOT granted AND datname = current_database()"
                )
            return bool(waiting) or (await holding.read(orders[0].id)).status is not OrderStatus.PENDING

        await read_until(is_decided_or_waits, bool, "the group is decided, or its decision waits")
    denied = await until_both(holding, orders, OrderStatus.DENIED)
    assert {denial.code for order in denied for denial in order.denials} == {RiskCode.TRADING_HALTED}
    assert venue.sent == sent


async def test_a_group_that_protects_is_sent_under_a_halt(holding: OrderHarness) -> None:
    async with holding.database.transaction() as transaction:
        await transaction.halts.put(halt_of(holding))
    await until_both(holding, await place(holding), OPEN)
