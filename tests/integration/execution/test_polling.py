"""One query a node finds what notifications have missed, and an account at rest asks the database nothing."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from domain.execution.command_poller import CommandPoller
from domain.model.orders import OrderStatus, TimeInForce
from domain.ports.unit_of_work import Database, UnitOfWork
from tests.support.order_harness import OrderHarness
from tests.support.scripted_venue import Fate, ScriptedVenue
from tests.support.waiting import read_until


class CountingDatabase:
    """Counts how often it is asked for a connection."""

    def __init__(self, real: Database) -> None:
        self._real = real
        self.uses = 0

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[UnitOfWork]:
        self.uses += 1
        async with self._real.transaction() as transaction:
            yield transaction

    @asynccontextmanager
    async def read_only(self) -> AsyncIterator[UnitOfWork]:
        self.uses += 1
        async with self._real.read_only() as transaction:
            yield transaction

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[UnitOfWork]:
        self.uses += 1
        async with self._real.snapshot() as transaction:
            yield transaction


async def test_an_order_whose_notification_was_lost_is_found(harness: OrderHarness, venue: ScriptedVenue) -> None:
    await harness.start()
    order = await harness.limit()
    unheard = replace(
        order, id=harness.ids.next_id(), client_order_id="r3-unheard", status=OrderStatus.PENDING, revision=1,
        venue_order_id=None, submitted_at=None, created_at=harness.clock.now(),
    )  # fmt: skip
    async with harness.database.transaction() as transaction:
        await transaction.orders.add(unheard)
    await harness.until(unheard.id, "OPEN")


async def test_an_account_at_rest_asks_the_database_nothing(harness: OrderHarness, venue: ScriptedVenue) -> None:
    counting = CountingDatabase(harness.database)
    harness.timings = replace(harness.timings, checkpoint_interval=3600)
    await harness.start()
    resting = await harness.limit("rests")
    in_doubt = await _in_doubt(harness, venue)
    polling = CountingDatabase(harness.database)
    poller = CommandPoller(polling, harness.notifier, harness.clock, harness.timings)
    await harness.until(in_doubt, "REJECTED")
    harness.context.database = counting

    async def uses_while_polled() -> int:
        counting.uses = polling.uses = 0
        for _ in range(20):
            await poller.poll()
        assert polling.uses == 20
        return counting.uses

    # After a doubt the balances are stored, which may go on for a moment.
    await read_until(uses_while_polled, lambda uses: uses == 0, "nothing is asked of the database")
    assert [await uses_while_polled() for _ in range(10)] == [0] * 10
    assert (await harness.service.cancel(harness.user.id, resting.id)).status is OrderStatus.CANCELED
    assert counting.uses > 0


async def test_only_accounts_with_something_to_do_are_woken(harness: OrderHarness) -> None:
    await harness.start()
    resting = await harness.limit()
    now = harness.clock.now()

    async def commanded(at: datetime = now) -> list[UUID]:
        async with harness.database.read_only() as reading:
            return await reading.orders.list_commanded_accounts(at)

    assert await commanded() == []
    await harness.kill()
    await harness.service.cancel(harness.user.id, resting.id)
    assert await commanded() == [harness.account.id]
    await harness.pool.execute("UPDATE orders SET status = 'IN_DOUBT'")
    assert await commanded() == []
    await harness.pool.execute("UPDATE orders SET status = 'CANCELED'")
    await harness.limit("gtd", time_in_force=TimeInForce.GTD, expires_at=now + timedelta(hours=1))
    await harness.pool.execute("UPDATE orders SET status = 'OPEN' WHERE status = 'PENDING'")
    assert await commanded() == []
    assert await commanded(now + timedelta(hours=2)) == [harness.account.id]


async def _in_doubt(harness: OrderHarness, venue: ScriptedVenue) -> UUID:
    venue.fates.append(Fate.LOST)
    return (await harness.place("in doubt")).id
