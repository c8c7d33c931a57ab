import asyncio
from dataclasses import replace

import pytest

from domain.events.leases import LEASE_SECONDS, LeaseHandle, LeaseRenewer, acquire_leases
from domain.ports.leases import Lease, StaleLease
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.clocks import ManualClock
from tests.support.postgres import patient_database, somebody_waits_for_a_lock
from tests.support.statements import Statements
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
    lease = await acquire(database, "one")
    assert lease is not None
    async with database.transaction() as transaction:
        await transaction.leases.check(lease)
        await lapse(database)
        taking = asyncio.create_task(acquire(database, "two"))
        await somebody_waits_for_a_lock(pool)
        assert not taking.done()
    taken = await taking
    assert taken is not None
    assert taken.epoch == lease.epoch + 1


async def lapse(database: PostgresDatabase) -> None:
    """Let the lease's time be over, which changes no key, and so waits for nobody who has checked it."""
    async with database.transaction() as transaction:
        await transaction.leases.release_all()
        assert await transaction.leases.get_holder("account", "a1") is None


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


async def test_many_leases_are_acquired_together_but_for_those_that_others_hold_or_use(
    database: PostgresDatabase,
) -> None:
    await acquire(database, "another")
    async with database.transaction() as transaction:
        await transaction.leases.acquire_many("account", ["a2", "a3", "a4"], "gone", LAPSED)
    async with database.transaction() as using:
        await using.leases.acquire("account", "a4", "third", LONG)
        async with database.transaction() as transaction:
            leases = await transaction.leases.acquire_many("account", ["a1", "a2", "a3", "a4", "a5"], "one", LONG)
    assert {lease.key: lease.epoch for lease in leases} == {"a2": 2, "a3": 2, "a5": 1}
    for lease in leases:
        await check(database, lease)


async def test_a_lease_is_not_acquired_with_others_while_a_transaction_has_checked_it(
    database: PostgresDatabase,
) -> None:
    lease = await acquire(database, "one")
    assert lease is not None

    async def take() -> list[Lease]:
        async with database.transaction() as transaction:
            return await transaction.leases.acquire_many("account", ["a1"], "two", LONG)

    async with database.transaction() as transaction:
        await transaction.leases.check(lease)
        await lapse(database)
        assert await take() == []
    assert [taken.epoch for taken in await take()] == [lease.epoch + 1]


@pytest.mark.parametrize("count", [1, 5, 300])
async def test_the_leases_of_a_node_are_renewed_by_one_statement_while_transactions_use_them(
    pool: Pool, count: int
) -> None:
    clock = ManualClock()
    database = patient_database(pool, EmbeddedBus(), clock)
    handles = await acquire_leases(database, clock, "account", [str(number) for number in range(count)], "node-1")
    assert len(handles) == count
    renewer = LeaseRenewer(database)
    for handle in handles.values():
        renewer.add(handle)
    before = {key: _renewed_at(handle) for key, handle in handles.items()}
    clock.move(2)
    used = handles["0"].current
    assert used is not None
    async with database.transaction() as one, database.transaction() as other:
        await one.leases.check(used)
        await other.leases.check(used)
        statements = Statements(pool)
        await renewer.renew()
        assert len(statements.about("leases")) == 1
    assert all(_renewed_at(handle) > before[key] for key, handle in handles.items())
    await database.close()


def _renewed_at(handle: LeaseHandle) -> float:
    lease = handle.current
    return -1.0 if lease is None else lease.renewed_at


async def test_a_lease_that_another_node_tries_to_acquire_is_renewed_by_itself_and_a_lost_one_not(pool: Pool) -> None:
    clock = ManualClock()
    database = patient_database(pool, EmbeddedBus(), clock)
    handles = await acquire_leases(database, clock, "account", ["0", "1", "2"], "node-1")
    renewer = LeaseRenewer(database)
    for handle in handles.values():
        renewer.add(handle)
    lost = handles["2"].current
    assert lost is not None
    async with database.transaction() as transaction:
        await transaction.leases.release(lost)
        await transaction.leases.acquire("account", "2", "node-2", 60)
    before = {key: _renewed_at(handle) for key, handle in handles.items()}
    clock.move(2)
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM leases WHERE key = '0' FOR UPDATE")
        await renewer.renew()
        assert [key for key, handle in handles.items() if _renewed_at(handle) > before[key]] == ["1"]
    await eventually(lambda: handles["2"].current is None, "the lost lease is known to be lost")
    await eventually(lambda: _renewed_at(handles["0"]) > before["0"], "the locked one is renewed")
    await database.close()
