"""A step of an order is one statement: the lease, the row and the events, all or nothing."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from domain.model.events import NewEvent, UserEventKind
from domain.model.orders import Order, OrderEvent, OrderEventKind, OrderStatus
from domain.ports.leases import Lease
from domain.ports.orders import StaleOrder
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
        transaction.orders.compare_and_save(before, after, lease)
        transaction.events.append([NewEvent(after.user_id, after.updated_at, UserEventKind.ORDER, event)])
    return after


async def add_and_advance(database: PostgresDatabase, new: Order, before: Order) -> None:
    async with database.transaction() as transaction:
        await transaction.orders.add(new)
        transaction.orders.compare_and_save(before, opened(before))


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
        await transaction.orders.save(asked)
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
            await transaction.orders.save(order.changed(order.updated_at, cancel_requested_at=order.updated_at))
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
