"""A halt and a decision to send an order wait for each other: a halt sees what was decided before it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal

import pytest

from domain.execution.commands import cancel_halted_orders
from domain.model.orders import CancelCode, Order, OrderStatus
from domain.model.trading_state import Halt, HaltAuthor, HaltLevel, TradingState
from domain.ports.execution_client import OrderReport, SendGuard
from domain.rules.order_amendment import AmendmentRequest
from tests.support.order_harness import OrderHarness
from tests.support.scripted_venue import ScriptedVenue
from tests.support.waiting import eventually, read_until


def halt_of(harness: OrderHarness, state: TradingState) -> Halt:
    now, author = harness.clock.now(), HaltAuthor.OPERATOR
    return Halt(HaltLevel.ACCOUNT, harness.account.id, state, now, author, None, cancel_orders=True)


async def store_halt(harness: OrderHarness, state: TradingState) -> list[Order]:
    """Commit a halt, and return the orders that it stops at once."""
    async with harness.database.transaction() as transaction:
        await transaction.halts.put(halt_of(harness, state))
        return await cancel_halted_orders(transaction, [harness.account.id], harness.clock.now())


async def waiting(harness: OrderHarness) -> int:
    """How many statements wait for locks of others."""
    async with harness.pool.acquire() as connection:
        return await connection.fetchval(
            "SELECT count(DISTINCT pid) FROM pg_locks JOIN pg_stat_activity USING (pid)"
            " WHERE NOT granted AND datname = current_database()"
        )


@asynccontextmanager
async def log_blocked(harness: OrderHarness) -> AsyncIterator[None]:
    """Keep the user's events from being appended inside the block: a commit then waits just before its end."""
    async with harness.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM user_event_heads WHERE user_id = $1 FOR UPDATE", harness.user.id)
        yield


@pytest.mark.parametrize("state", [TradingState.HALTED, TradingState.REDUCING])
async def test_a_halt_stops_an_order_that_was_being_decided_before_it(
    harness: OrderHarness, state: TradingState
) -> None:
    order = await harness.limit()
    async with log_blocked(harness):
        await harness.start_unreconciled()
        await read_until(lambda: waiting(harness), lambda count: count == 1, "the order is decided")
        halting = asyncio.create_task(store_halt(harness, state))
        await read_until(lambda: waiting(harness), lambda count: halting.done() or count == 2, "the halt is made")
    stopped = await halting
    assert [each.id for each in stopped] == [order.id]
    assert (await harness.until(order.id, "CANCELED")).cancel_code is CancelCode.HALT


async def test_a_halt_waits_for_the_step_of_an_amendment_and_the_next_step_sees_it(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    order = await harness.limit()
    await harness.kill()
    amendment = await harness.service.amend(harness.user.id, AmendmentRequest(order.id, price=Decimal(91)), "a")
    async with log_blocked(harness):
        await harness.start_unreconciled()
        await read_until(lambda: waiting(harness), lambda count: count == 1, "the amendment's first step is decided")
        halting = asyncio.create_task(store_halt(harness, TradingState.REDUCING))
        await read_until(lambda: waiting(harness), lambda count: halting.done() or count == 2, "the halt is made")
        assert not halting.done()
    await halting
    await harness.until(order.id, "CANCELED")
    await harness.until(amendment.id, "DENIED", "CANCELED")
    assert venue.received == [order.client_order_id]


async def test_an_order_that_waits_for_its_turn_at_the_venue_is_not_sent_after_a_halt(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    turn, plain, asked = asyncio.Event(), venue.place, list[Order]()

    async def place_in_turn(order: Order, guard: SendGuard) -> OrderReport:
        asked.append(order)
        await turn.wait()
        return await plain(order, guard)

    venue.place = place_in_turn  # type: ignore[method-assign]
    executor = await harness.start()
    placing = asyncio.create_task(harness.place())
    await eventually(lambda: asked, "the order waits for its turn")
    order = await harness.until(asked[0].id, "SUBMITTED")
    await store_halt(harness, TradingState.HALTED)
    await eventually(lambda: order.id in harness.context.withdrawn, "the executor has read of the cancel")
    turn.set()
    ended = await placing
    assert (ended.id, ended.status) == (order.id, OrderStatus.CANCELED)
    assert (ended.cancel_code, venue.received) == (CancelCode.HALT, [])
    assert "before its turn came" in (await harness.order_events(order.id))[-1].reason
    await eventually(lambda: not (harness.context.withdrawn or harness.context.in_flight), "nothing is left of it")
    assert executor.reconciled
