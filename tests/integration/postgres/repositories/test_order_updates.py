"""A step of an order is one statement: the lease, the row and the events, all or nothing."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

import pytest

from domain.model.events import NewEvent, UserEventKind
from domain.model.orders import CancelCode, Order, OrderEvent, OrderEventKind, OrderStatus
from domain.model.trading_state import Halt, HaltAuthor, HaltLevel, TradingState
from domain.ports.leases import Lease
from domain.ports.orders import OrderChange, OrderFilter, StaleOrder, StepConditions
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.postgres import somebody_waits_for_a_lock
from tests.support.trading import World

LONG, LAPSED = 60.0, 0.0


@pytest.fixture
async def order(database: PostgresDatabase, world: World) -> Order:
    order = world.order()
    async with database.transaction() as transaction:
        await transaction.orders.add(order)
    return order


def opened(order: Order) -> Order:
    return order.changed(order.updated_at + timedelta(seconds=1), status=OrderStatus.OPEN, venue_order_id="7")


async def held(database: PostgresDatabase, seconds: float = LONG) -> Lease:
    async with database.transaction() as transaction:
        lease = await transaction.leases.acquire("account", "a1", "one", seconds)
    assert lease is not None
    return lease


async def step(database: PostgresDatabase, before: Order, lease: Lease | None) -> Order:
    after = opened(before)
    event = OrderEvent(OrderEventKind.ACCEPTED, after)
    async with database.transaction() as transaction:
        transaction.orders.write([OrderChange(before, after)], StepConditions(lease))
        transaction.events.append([NewEvent(after.user_id, after.updated_at, UserEventKind.ORDER, event)])
    return after


async def add_and_advance(database: PostgresDatabase, new: Order, before: Order) -> None:
    async with database.transaction() as transaction:
        await transaction.orders.add(new)
        transaction.orders.write([OrderChange(before, opened(before))])


async def stored(database: PostgresDatabase, order: Order) -> tuple[Order | None, int]:
    """Return the order and how many events its user's log has."""
    async with database.read_only() as reading:
        sequence, _ = await reading.events.head(order.user_id)
        return await reading.orders.get(order.user_id, order.id), sequence


async def test_it_writes_the_order_and_its_events(database: PostgresDatabase, order: Order) -> None:
    after = await step(database, order, await held(database))
    assert await stored(database, order) == (after, 1)


async def test_without_a_lease_none_is_checked(database: PostgresDatabase, order: Order) -> None:
    after = await step(database, order, None)
    assert await stored(database, order) == (after, 1)


async def test_a_lapsed_lease_writes_nothing(database: PostgresDatabase, order: Order) -> None:
    with pytest.raises(StaleOrder):
        await step(database, order, await held(database, LAPSED))
    assert await stored(database, order) == (order, 0)


async def test_an_order_that_has_moved_since_is_left_alone(database: PostgresDatabase, order: Order) -> None:
    moved = await step(database, order, None)
    with pytest.raises(StaleOrder):
        await step(database, order, None)
    assert await stored(database, order) == (moved, 1)


async def test_it_waits_for_the_holder_of_the_order_and_then_sees_its_changes(
    database: PostgresDatabase, pool: Pool, order: Order
) -> None:
    lease = await held(database)
    asked = order.changed(order.updated_at, cancel_requested_at=order.updated_at)
    async with database.transaction() as transaction:
        transaction.orders.write([OrderChange(order, asked)])
        assert await transaction.orders.get_for_update(order.id) == asked
        stepping = asyncio.create_task(step(database, order, lease))
        await somebody_waits_for_a_lock(pool)
    with pytest.raises(StaleOrder):
        await stepping
    assert await stored(database, order) == (asked, 0)


async def test_it_goes_through_if_the_holder_of_the_order_gave_up(
    database: PostgresDatabase, pool: Pool, order: Order
) -> None:
    lease = await held(database)
    with suppress(ZeroDivisionError):
        async with database.transaction() as transaction:
            asked = order.changed(order.updated_at, cancel_requested_at=order.updated_at)
            transaction.orders.write([OrderChange(order, asked)])
            assert await transaction.orders.get_for_update(order.id) == asked
            stepping = asyncio.create_task(step(database, order, lease))
            await somebody_waits_for_a_lock(pool)
            raise ZeroDivisionError
    after = await stepping
    assert await stored(database, order) == (after, 1)


async def test_what_came_before_it_in_the_transaction_is_undone_with_it(
    database: PostgresDatabase, world: World, order: Order
) -> None:
    other = world.order()
    moved = await step(database, order, None)
    with pytest.raises(StaleOrder):
        await add_and_advance(database, other, order)
    assert await stored(database, other) == (None, 1)
    assert await stored(database, order) == (moved, 1)


async def step_all(database: PostgresDatabase, orders: Sequence[Order], lease: Lease | None) -> None:
    async with database.transaction() as transaction:
        changes = [OrderChange(order, opened(order)) for order in orders]
        transaction.orders.write(changes, StepConditions(lease))
        for change in changes:
            event = OrderEvent(OrderEventKind.ACCEPTED, change.after)
            transaction.events.append(
                [NewEvent(change.after.user_id, change.after.updated_at, UserEventKind.ORDER, event)]
            )


@pytest.fixture
async def several(database: PostgresDatabase, world: World) -> list[Order]:
    orders = [world.order() for _ in range(3)]
    async with database.transaction() as transaction:
        for order in orders:
            await transaction.orders.add(order)
    return orders


async def test_steps_of_several_orders_are_written_together(database: PostgresDatabase, several: list[Order]) -> None:
    await step_all(database, several, await held(database))
    for order in several:
        assert await stored(database, order) == (opened(order), 3)


async def test_of_several_steps_none_is_written_if_one_order_has_moved(
    database: PostgresDatabase, several: list[Order]
) -> None:
    moved = await step(database, several[1], None)
    with pytest.raises(StaleOrder):
        await step_all(database, several, await held(database))
    assert [await stored(database, order) for order in several] == [(several[0], 1), (moved, 1), (several[2], 1)]


async def test_of_several_steps_none_is_written_if_the_lease_has_lapsed(
    database: PostgresDatabase, several: list[Order]
) -> None:
    with pytest.raises(StaleOrder):
        await step_all(database, several, await held(database, LAPSED))
    assert [await stored(database, order) for order in several] == [(order, 0) for order in several]


async def test_of_several_steps_none_is_written_if_a_halt_forbids_one(
    database: PostgresDatabase, world: World, several: list[Order]
) -> None:
    halt = Halt(HaltLevel.USER, world.user.id, TradingState.REDUCING, several[0].created_at, HaltAuthor.SELF, None)
    async with database.transaction() as transaction:
        await transaction.halts.put(halt)
    states = {0: (), 1: (TradingState.HALTED, TradingState.REDUCING), 2: ()}
    with pytest.raises(StaleOrder):
        async with database.transaction() as transaction:
            transaction.orders.write(
                [OrderChange(order, opened(order), states[place]) for place, order in enumerate(several)]
            )
    assert [await stored(database, order) for order in several] == [(order, 0) for order in several]


async def test_an_order_that_takes_two_steps_in_a_transaction_is_stored_after_the_second(
    database: PostgresDatabase, order: Order
) -> None:
    first = opened(order)
    second = first.changed(first.updated_at, status=OrderStatus.CANCELED)
    async with database.transaction() as transaction:
        transaction.orders.write([OrderChange(order, first)])
        transaction.orders.write([OrderChange(first, second)])
    assert await stored(database, order) == (second, 0)


async def test_a_statement_that_follows_sees_what_was_written(
    database: PostgresDatabase, world: World, order: Order
) -> None:
    async with database.transaction() as transaction:
        transaction.orders.write([OrderChange(order, opened(order))])
        selected = OrderFilter(statuses=(OrderStatus.OPEN,))
        (asked,) = await transaction.orders.request_cancels(
            world.user.id, selected, CancelCode.REQUESTED, order.updated_at
        )
    assert (asked.id, asked.status, asked.revision) == (order.id, OrderStatus.OPEN, order.revision + 2)
