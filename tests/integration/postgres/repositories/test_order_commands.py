"""What the executor of an account asks for, and how others give it commands."""

import asyncio
from dataclasses import replace

import pytest

from domain.model.orders import CancelCode, Order, OrderRole, OrderStatus
from domain.model.trading_state import Halt, HaltAuthor, HaltLevel, TradingState
from domain.ports.orders import OrderFilter
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool
from infra.postgres.repositories.halts import PostgresHalts
from infra.postgres.repositories.orders import PostgresOrders
from tests.support.trading import ACTIVE_STATUSES, BTC, ETH, FINAL_STATUSES, NOW, World, at, new_id, store_change

HALT = CancelCode.HALT
COMMANDED = (OrderStatus.SUBMITTED, OrderStatus.IN_DOUBT, OrderStatus.OPEN, OrderStatus.PARTIALLY_FILLED)


async def _one_of_each_status(orders: PostgresOrders, world: World, **changes: object) -> dict[OrderStatus, Order]:
    made = {status: world.order(status=status, **changes) for status in OrderStatus}
    for order in made.values():
        await orders.add(order)
    return made


async def test_commands_are_pending_orders_and_requested_cancels(orders: PostgresOrders, world: World) -> None:
    plain = await _one_of_each_status(orders, world)
    asked = await _one_of_each_status(orders, world, cancel_requested_at=NOW)
    expected = [plain[OrderStatus.PENDING], asked[OrderStatus.PENDING], *(asked[status] for status in COMMANDED)]
    assert await orders.list_commands(world.account.id) == sorted(expected, key=lambda order: order.id)


async def test_commands_of_another_account_are_not_given(orders: PostgresOrders, world: World, stranger: World) -> None:
    await orders.add(world.order())
    assert await orders.list_commands(stranger.account.id) == []


async def test_active_orders_are_those_that_are_not_final(orders: PostgresOrders, world: World) -> None:
    made = await _one_of_each_status(orders, world)
    active = await orders.list_active(world.account.id)
    assert {order.status for order in active} == set(ACTIVE_STATUSES)
    assert active == sorted((made[status] for status in ACTIVE_STATUSES), key=lambda order: order.id)


async def test_an_order_expires_when_its_time_has_come_unless_its_cancel_is_requested(
    orders: PostgresOrders, world: World
) -> None:
    due = world.order(status=OrderStatus.OPEN, expires_at=NOW)
    others = [
        world.order(status=OrderStatus.OPEN, expires_at=at(0.001)),
        world.order(status=OrderStatus.OPEN),
        world.order(status=OrderStatus.OPEN, expires_at=at(-5), cancel_requested_at=at(-1)),
        world.order(status=OrderStatus.FILLED, expires_at=at(-5)),
    ]
    for order in (due, *others):
        await orders.add(order)
    assert await orders.list_expired(world.account.id, NOW) == [due]


async def test_recent_orders_are_those_that_changed_since(
    orders: PostgresOrders, connection: Connection, world: World
) -> None:
    old, changed, final = world.order(), world.order(), world.order(status=OrderStatus.FILLED, updated_at=at(20))
    for order in (old, changed, final):
        await orders.add(order)
    submitted = changed.changed(at(10), status=OrderStatus.SUBMITTED)
    await store_change(connection, changed, submitted)
    assert await orders.list_changed_since(world.account.id, at(10)) == [submitted, final]


async def test_submitted_orders_are_counted_since_a_moment(orders: PostgresOrders, world: World) -> None:
    for seconds in (-61, -60, -1):
        await orders.add(world.order(submitted_at=at(seconds), status=OrderStatus.FILLED))
    new = world.order()
    await orders.add(new)
    assert len((await orders.risk_snapshot(new, at(-60))).recent) == 2


async def test_a_cancel_is_requested_once_for_every_active_order(orders: PostgresOrders, world: World) -> None:
    made = await _one_of_each_status(orders, world)
    account = world.account.id
    assert (
        len(await orders.request_cancels(world.user.id, OrderFilter(account), HALT, at(3))) == len(ACTIVE_STATUSES) - 1
    )
    assert len(await orders.request_cancels(world.user.id, OrderFilter(account), HALT, at(4))) == 0
    for status, order in made.items():
        stored = await orders.get(world.user.id, order.id)
        asked = status in ACTIVE_STATUSES and status is not OrderStatus.PENDING_CANCEL
        assert stored == (order.changed(at(3), cancel_requested_at=at(3), cancel_code=HALT) if asked else order)


async def test_cancels_are_requested_by_market_session_and_owner(
    orders: PostgresOrders, world: World, stranger: World
) -> None:
    await orders.add(world.order())
    await orders.add(world.order(market=ETH))
    await orders.add(world.order(trading_session_id=world.session.id))
    user, account = world.user.id, world.account.id
    assert len(await orders.request_cancels(stranger.user.id, OrderFilter(account), HALT, NOW)) == 0
    assert len(await orders.request_cancels(user, OrderFilter(stranger.account.id), HALT, NOW)) == 0
    assert len(await orders.request_cancels(user, OrderFilter(account, world.session.id, market=ETH), HALT, NOW)) == 0
    assert len(await orders.request_cancels(user, OrderFilter(account, market=ETH), HALT, NOW)) == 1
    assert len(await orders.request_cancels(user, OrderFilter(account, world.session.id), HALT, NOW)) == 1
    assert len(await orders.request_cancels(user, OrderFilter(account, market=BTC), HALT, NOW)) == 1


async def test_a_halt_of_a_session_cancels_the_entries_of_that_session_on_the_accounts_that_are_asked_for(
    connection: Connection, orders: PostgresOrders, world: World
) -> None:
    await PostgresHalts(connection).put(
        Halt(
            HaltLevel.TRADING_SESSION, world.session.id, TradingState.HALTED, NOW, HaltAuthor.SELF, None,
            cancel_orders=True,
        )
    )  # fmt: skip
    entry = world.order(status=OrderStatus.OPEN, role=OrderRole.ENTRY, trading_session_id=world.session.id)
    for order in (
        entry,
        world.order(status=OrderStatus.OPEN),
        replace(entry, id=new_id(), client_order_id="unsent", status=OrderStatus.PENDING),
    ):
        await orders.add(order)
    assert await orders.request_cancels_by_halts([new_id()], NOW) == []
    assert await orders.request_cancels_by_halts([], NOW) == []
    (cancelled,) = await orders.request_cancels_by_halts(None, NOW)
    assert (cancelled.id, cancelled.cancel_code, cancelled.cancel_requested_at) == (entry.id, HALT, NOW)
    assert await orders.request_cancels_by_halts([world.account.id], NOW) == []


async def test_cancels_are_requested_by_role(orders: PostgresOrders, world: World) -> None:
    entry = world.order(role=OrderRole.ENTRY)
    await orders.add(entry)
    await orders.add(world.order(role=OrderRole.STOP_LOSS))
    selected = OrderFilter(world.account.id, roles=(OrderRole.ENTRY,))
    cancelled = await orders.request_cancels(world.user.id, selected, CancelCode.TRADING_SESSION, NOW)
    assert [(order.id, order.cancel_code) for order in cancelled] == [(entry.id, CancelCode.TRADING_SESSION)]


@pytest.mark.parametrize("status", FINAL_STATUSES)
async def test_no_cancel_is_requested_for_a_final_order(
    orders: PostgresOrders, world: World, status: OrderStatus
) -> None:
    await orders.add(world.order(status=status))
    assert len(await orders.request_cancels(world.user.id, OrderFilter(world.account.id), HALT, NOW)) == 0


async def test_a_locked_order_waits_for_its_holder(pool: Pool, orders: PostgresOrders, world: World) -> None:
    order = world.order()
    await orders.add(order)
    async with pool.acquire() as driver:
        connection = Connection(driver)
        other = PostgresOrders(connection)
        async with driver.transaction():
            assert await other.get_for_update(order.id) == order
            waiting = asyncio.create_task(orders.get_for_update(order.id))
            changed = order.changed(at(1), status=OrderStatus.SUBMITTED)
            await store_change(connection, order, changed)
            assert not waiting.done()
        assert await waiting == changed
