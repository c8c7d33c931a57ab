"""Orders that the node of their account places and decides about in one commit, and those that take the usual way."""

import asyncio
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from domain.core.errors import ErrorCode, InputError, InputErrors, Unavailable
from domain.execution.account_context import AccountContext
from domain.model.orders import Order, OrderStatus
from tests.support.order_harness import OrderHarness
from tests.support.scripted_venue import Fate, ScriptedVenue
from tests.support.waiting import eventually


@pytest.fixture
def placed(monkeypatch: pytest.MonkeyPatch) -> list[list[Order] | None]:
    """What each commit has placed at once, and None for each that didn't go through."""
    outcomes: list[list[Order] | None] = []
    place = AccountContext.place

    async def recorded(*arguments: Any) -> dict[UUID, Order] | None:
        outcomes.append(None)
        outcome = await place(*arguments)
        outcomes[-1] = None if outcome is None else list(outcome.values())
        return outcome

    monkeypatch.setattr(AccountContext, "place", recorded)
    return outcomes


async def test_an_order_is_stored_and_decided_about_in_one_commit(
    harness: OrderHarness, venue: ScriptedVenue, placed: list[list[Order] | None]
) -> None:
    await harness.start()
    order = await harness.place()
    (first,) = placed
    assert first is not None
    (at_once,) = first
    assert (at_once.id, at_once.status) == (order.id, OrderStatus.SUBMITTED)
    assert order.status is OrderStatus.FILLED
    assert await harness.kinds(order.id) == ["PENDING", "SUBMITTED", "ACCEPTED", "FILL"]
    assert venue.received == [order.client_order_id]


async def test_the_same_key_at_the_same_time_makes_one_order(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    orders = await asyncio.gather(*(harness.place("same") for _ in range(8)))
    assert {order.id for order in orders} == {orders[0].id}
    assert venue.sent == 1


async def test_the_same_key_for_another_input_is_a_conflict_and_sends_nothing(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    await harness.start()
    await harness.place("key")
    with pytest.raises(InputError) as found:
        await harness.place("key", quantity=Decimal(2))
    assert found.value.code is ErrorCode.CONFLICT
    assert venue.sent == 1


async def test_nothing_is_placed_on_an_account_that_was_archived_elsewhere(
    harness: OrderHarness, venue: ScriptedVenue, placed: list[list[Order] | None]
) -> None:
    await harness.start()
    await harness.pool.execute("UPDATE accounts SET archived_at = now()")
    with pytest.raises(InputErrors) as found:
        await harness.place()
    assert [error.code for error in found.value.errors] == [ErrorCode.CONFLICT]
    assert placed == [None]
    assert venue.sent == 0


async def test_an_order_that_is_denied_is_stored_the_usual_way(
    harness: OrderHarness, venue: ScriptedVenue, placed: list[list[Order] | None]
) -> None:
    await harness.start()
    harness.markets.book = None
    denied = await harness.place()
    assert denied.status is OrderStatus.DENIED
    assert await harness.kinds(denied.id) == ["PENDING", "DENIED"]
    assert venue.sent == 0


async def test_no_more_requests_than_allowed_are_under_way_at_once(
    harness: OrderHarness, venue: ScriptedVenue, placed: list[list[Order] | None]
) -> None:
    await harness.start()
    maximum = harness.timings.maximum_requests
    venue.fates.extend([Fate.HANGS_BEFORE] * maximum)
    hanging = [asyncio.create_task(harness.limit(f"hangs {number}")) for number in range(maximum)]
    await eventually(lambda: venue.sent == maximum, "all hang")
    waiting = asyncio.create_task(harness.limit("waits"))
    await asyncio.sleep(0.1)
    assert venue.sent == maximum
    for task in (*hanging, waiting):
        task.cancel()


async def test_an_order_is_sent_although_its_caller_has_gone(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.start()
    begun, place = asyncio.Event(), AccountContext.place

    async def slow(*arguments: Any) -> Order | None:
        begun.set()
        await asyncio.sleep(0.05)
        return await place(*arguments)

    monkeypatch.setattr(AccountContext, "place", slow)
    caller = asyncio.create_task(harness.place())
    await begun.wait()
    caller.cancel()
    await eventually(lambda: venue.sent == 1, "the order is sent")
    monkeypatch.undo()
    assert (await harness.place()).status is OrderStatus.FILLED  # by the same key
    assert venue.sent == 1


async def test_an_order_whose_executor_stops_meanwhile_is_stored_for_the_next_one(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    await harness.start()
    begun, place = asyncio.Event(), AccountContext.place

    async def never(*_arguments: Any) -> Order | None:
        begun.set()
        await asyncio.sleep(3600)
        return None

    monkeypatch.setattr(AccountContext, "place", never)
    caller = asyncio.create_task(harness.place())
    await begun.wait()
    await harness.kill()
    assert (await caller).status is OrderStatus.PENDING
    monkeypatch.setattr(AccountContext, "place", place)
    await harness.start()
    assert (await harness.place()).status is OrderStatus.FILLED  # by the same key
    assert venue.sent == 1


async def test_a_commit_of_which_nothing_is_known_is_settled_by_asking(
    harness: OrderHarness, venue: ScriptedVenue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order is stored as SUBMITTED and was never sent."""
    await harness.start()
    place = AccountContext.place

    async def unheard(*arguments: Any) -> Order | None:
        await place(*arguments)
        monkeypatch.undo()
        raise Unavailable("the connection broke")

    monkeypatch.setattr(AccountContext, "place", unheard)
    order = await harness.place()
    assert (await harness.until(order.id, "REJECTED")).reject_code is not None
    assert venue.sent == 0
    assert order.created_at <= harness.clock.now() + timedelta(seconds=1)
