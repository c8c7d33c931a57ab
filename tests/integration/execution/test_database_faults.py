"""The database goes away at any transaction of an order's life, before or after it has committed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from decimal import Decimal

import pytest

from domain.core.errors import Unavailable
from domain.model.order_side import OrderSide
from domain.model.orders import OrderStatus, OrderType
from domain.model.protection import ExitLevel
from domain.ports.orders import StaleOrder
from domain.ports.unit_of_work import Database, UnitOfWork
from tests.support.order_harness import OrderHarness
from tests.support.postgres import somebody_waits_for_a_lock
from tests.support.scripted_venue import Fate, ScriptedVenue


class FlakyDatabase:
    """A database whose n-th transaction from now (counted from 0) breaks at its commit.

    Where it `commits_late`, the server commits it only when the test calls `commit_late`.
    """

    def __init__(self, real: Database) -> None:
        self._real = real
        self.breaks_at = -1
        self.commits_first = False
        self.commits_late = False
        self._late = AsyncExitStack()

    def read_only(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self._real.read_only()

    def snapshot(self) -> AbstractAsyncContextManager[UnitOfWork]:
        return self._real.snapshot()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[UnitOfWork]:
        self.breaks_at -= 1
        breaks = self.breaks_at == -1
        if breaks and self.commits_late:
            yield await self._late.enter_async_context(self._real.transaction())
            raise Unavailable("the connection broke, and the server is still committing")
        async with self._real.transaction() as transaction:
            yield transaction
            if breaks and not self.commits_first:
                raise Unavailable("the connection broke before the commit")
        if breaks:
            raise Unavailable("the connection broke, and the commit had happened")

    async def commit_late(self) -> None:
        """Commit what the caller was given a failure for; its rows were locked until now. Raises what that raises."""
        await self._late.aclose()


@pytest.mark.parametrize("commits_first", [False, True], ids=["rolled back", "committed"])
@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("fate", [Fate.ANSWERED, Fate.SWALLOWED, Fate.LOST])
async def test_no_order_is_lost_or_sent_twice(
    harness: OrderHarness, venue: ScriptedVenue, fate: Fate, number: int, *, commits_first: bool
) -> None:
    flaky = FlakyDatabase(harness.database)
    await harness.start()
    harness.context.database = flaky
    venue.fates.append(fate)
    flaky.breaks_at, flaky.commits_first = number, commits_first
    placed = await harness.place()
    order = await harness.until(placed.id, "FILLED", "REJECTED")
    assert not harness.task.done()
    assert len(venue.received) <= 1
    assert venue.sent <= 1
    assert order.filled_quantity == Decimal(len(venue.received))
    assert order.status is (OrderStatus.FILLED if venue.received else OrderStatus.REJECTED)
    assert len(await harness.fills(order.id)) == len(venue.received)
    revisions = [event.order.revision for event in await harness.order_events(order.id)]
    assert revisions == sorted(set(revisions))
    venue.fates.clear()
    flaky.breaks_at = -1
    assert (await harness.place("next")).status is OrderStatus.FILLED
    assert sum(position.quantity for position in await harness.positions()) == len(venue.received)


async def test_a_submission_that_is_committed_late_sends_nothing_a_second_time(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    flaky = FlakyDatabase(harness.database)
    await harness.start()
    harness.context.database = flaky
    flaky.breaks_at, flaky.commits_late = 0, True
    placed = await harness.place()
    await harness.until(placed.id, "FILLED")
    with pytest.raises(StaleOrder):  # another step has been committed meanwhile
        await flaky.commit_late()
    assert venue.sent == 1
    assert (await harness.read(placed.id)).status is OrderStatus.FILLED
    assert (await harness.kinds(placed.id)).count("SUBMITTED") == 1


async def test_a_cancel_whose_request_is_committed_late_is_sent(harness: OrderHarness, venue: ScriptedVenue) -> None:
    flaky = FlakyDatabase(harness.database)
    await harness.start()
    order = await harness.limit()
    harness.context.database = flaky
    flaky.breaks_at, flaky.commits_late = 0, True
    cancelling = asyncio.create_task(harness.service.cancel(harness.user.id, order.id))
    await somebody_waits_for_a_lock(harness.pool)
    await flaky.commit_late()
    assert (await cancelling).status is OrderStatus.CANCELED
    assert venue.orders[order.client_order_id].status is OrderStatus.CANCELED


async def test_a_trailing_stop_whose_decision_was_in_doubt_is_not_asked_for_at_the_venue(
    harness: OrderHarness, venue: ScriptedVenue
) -> None:
    flaky = FlakyDatabase(harness.database)
    await harness.start()
    harness.context.database = flaky
    flaky.breaks_at, flaky.commits_first = 0, True
    request = harness.request(side=OrderSide.SELL, type=OrderType.TRAILING_STOP, trailing=True)
    trail = ExitLevel(absolute=Decimal(5))
    order = await harness.service.place(harness.user.id, request, "t", trail=trail)
    order = await harness.until(order.id, "OPEN")
    assert order.is_held
    for number in range(5):
        assert (await harness.place(f"next {number}")).status is OrderStatus.FILLED
    assert venue.query_count == 0
    assert await harness.alerts() == []
