import asyncio
from dataclasses import replace

import pytest

from domain.events.leases import LEASE_SECONDS, LeaseHandle, LeaseRenewer, acquire_lease
from domain.ports.leases import Lease, StaleLease
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.clocks import ManualClock
from tests.support.postgres import somebody_waits_for_a_lock
from tests.support.waiting import eventually

LONG = 60.0
LAPSED = 0.0
"""Seconds: a lease that is over when it is given stands for one whose holder has fallen silent."""


async def acquire(database: PostgresDatabase, holder: str, seconds: float = LONG) -> Lease | None:
    async with database.transaction() as transaction:
        return await transaction.leases.acquire("account", "a1", holder, seconds)


async def check(database: PostgresDatabase, lease: Lease) -> None:
    async with database.transaction() as transaction:
        await transaction.leases.check(lease)


async def test_a_lease_has_one_holder_until_it_lapses(database: PostgresDatabase) -> None:
    first = await acquire(database, "one")
    assert first is not None
    assert first.epoch == 1
    assert await acquire(database, "two") is None
    await check(database, first)


async def test_a_lapsed_lease_is_taken_over_with_a_higher_epoch_and_the_old_holder_is_stale(
    database: PostgresDatabase,
) -> None:
    old = await acquire(database, "one", LAPSED)
    new = await acquire(database, "two")
    assert old is not None
    assert new is not None
    assert new.epoch == old.epoch + 1
    with pytest.raises(StaleLease, match="account:a1"):
        await check(database, old)
    async with database.transaction() as transaction:
        assert await transaction.leases.renew(old, LONG) is None
        await transaction.leases.release(old)
    await check(database, new)


async def test_a_lapsed_lease_is_stale_even_where_nobody_took_it(database: PostgresDatabase) -> None:
    lease = await acquire(database, "one", LAPSED)
    assert lease is not None
    with pytest.raises(StaleLease):
        await check(database, lease)
    async with database.transaction() as transaction:
        assert await transaction.leases.renew(lease, LONG) is None


async def test_its_holder_renews_it_under_the_same_epoch_either_way(database: PostgresDatabase) -> None:
    lease = await acquire(database, "one")
    assert lease is not None
    again = await acquire(database, "one")
    async with database.transaction() as transaction:
        renewed = await transaction.leases.renew(lease, LONG)
    assert again is not None
    assert renewed is not None
    assert renewed.epoch == again.epoch == lease.epoch
    assert renewed.renewed_at > again.renewed_at > lease.renewed_at


async def test_a_holder_that_comes_back_after_lapsing_gets_a_new_epoch(database: PostgresDatabase) -> None:
    first, second = await acquire(database, "one", LAPSED), await acquire(database, "one")
    assert first is not None
    assert second is not None
    assert second.epoch == first.epoch + 1


async def test_a_released_lease_is_free_at_once_and_its_epoch_is_not_used_again(database: PostgresDatabase) -> None:
    lease = await acquire(database, "one")
    assert lease is not None
    async with database.transaction() as transaction:
        await transaction.leases.release(lease)
    taken = await acquire(database, "two")
    assert taken is not None
    assert taken.epoch == lease.epoch + 1


async def test_a_checked_lease_can_not_be_taken_before_the_transaction_ends(
    database: PostgresDatabase, pool: Pool
) -> None:
    lease = await acquire(database, "one", 0.3)
    assert lease is not None
    async with database.transaction() as transaction:
        await transaction.leases.check(lease)
        taking = asyncio.create_task(_take_when_lapsed(database))
        await somebody_waits_for_a_lock(pool)
        assert not taking.done()
    taken = await asyncio.wait_for(taking, 60)
    assert taken.epoch == lease.epoch + 1


async def _take_when_lapsed(database: PostgresDatabase) -> Lease:
    while True:
        lease = await acquire(database, "two")
        if lease is not None:
            return lease


async def test_of_many_nodes_that_request_a_lapsed_lease_one_gets_it(database: PostgresDatabase) -> None:
    await acquire(database, "gone", LAPSED)
    leases = await asyncio.gather(*(acquire(database, f"node {number}") for number in range(10)))
    assert [lease.epoch for lease in leases if lease is not None] == [2]


async def lost(database: PostgresDatabase, taken_by: str | None, seconds: float = LEASE_SECONDS + 1.25) -> str:
    """Return what the log says of a lease of node one that was ended, and then taken by somebody or nobody."""
    clock = ManualClock()
    lease = await acquire(database, "here:one")
    assert lease is not None
    held = LeaseHandle(database, clock, replace(lease, renewed_at=clock.monotonic()))
    async with database.transaction() as transaction:
        await transaction.leases.release_all()
        if taken_by is not None:
            await transaction.leases.acquire("account", "a1", taken_by, LONG)
    clock.move(seconds)
    assert not await held.renew()
    return await held.reason_lost()


async def test_a_lease_that_lapsed_is_not_reported_to_be_another_nodes(database: PostgresDatabase) -> None:
    assert await lost(database, None) == "its lease lapsed: this node did not renew it for 7.2 s"


async def test_a_lease_that_was_ended_before_its_time_is_not_reported_to_have_lapsed(
    database: PostgresDatabase,
) -> None:
    assert await lost(database, None, LEASE_SECONDS - 1) == "its lease was ended in the database before its time"


async def test_who_took_a_lost_lease_is_named_and_distinguished_by_host(database: PostgresDatabase) -> None:
    assert (await lost(database, "there:two")).startswith("its lease was taken by another node (there:two), until ")
    async with database.transaction() as transaction:
        await transaction.leases.release_all()
    message = await lost(database, "here:two")
    assert message.startswith("its lease was taken by another run on this host (here:two), until ")
    assert message.endswith(" UTC unless it is renewed")


async def test_the_leases_of_a_node_are_renewed_together_and_a_locked_one_by_itself(pool: Pool) -> None:
    clock = ManualClock()
    database = PostgresDatabase(pool, EmbeddedBus(), clock)
    handles = [await acquire_lease(database, clock, "account", str(number), "node-1") for number in range(5)]
    renewer = LeaseRenewer(database)
    for handle in handles:
        assert handle is not None
        renewer.add(handle)
    lost = handles[4]
    assert lost is not None
    taken = lost.current
    assert taken is not None
    async with database.transaction() as transaction:
        await transaction.leases.release(taken)
        await transaction.leases.acquire("account", "4", "node-2", 60)
    before = [handle.current.renewed_at for handle in handles if handle is not None and handle.current is not None]
    clock.move(2)
    async with database.transaction() as checking:
        locked = handles[0]
        assert locked is not None
        assert locked.current is not None
        await checking.leases.check(locked.current)
        await renewer.renew()
        renewed = [handle.current.renewed_at for handle in handles if handle is not None and handle.current is not None]
        assert [after > was for after, was in zip(renewed, before, strict=True)] == [False, True, True, True, False]
    await eventually(lambda: lost.current is None, "the lost lease is known to be lost")
    await eventually(lambda: locked.current and locked.current.renewed_at > before[0], "the locked one is renewed")
    await database.close()
