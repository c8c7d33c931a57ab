import asyncio
import contextlib
from uuid import UUID

import asyncpg
import pytest

from domain.core.errors import Unavailable
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase, PostgresTransaction
from infra.postgres.pool import Pool
from tests.support.moved_clock import needs_database_timeouts
from tests.support.postgres import execute, patient_database, patient_pool, somebody_waits_for_a_lock
from tests.support.users import a_user, stored_user

OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""


async def test_a_transaction_is_all_or_nothing(database: PostgresDatabase) -> None:
    user = a_user()
    with contextlib.suppress(ZeroDivisionError):
        async with database.transaction() as transaction:
            await transaction.users.add(user, "hash")
            raise ZeroDivisionError
    async with database.read_only() as reading:
        assert await reading.users.get(user.id) is None


async def test_nobody_sees_a_transaction_before_it_ends(database: PostgresDatabase) -> None:
    user = a_user()
    async with database.transaction() as transaction:
        await transaction.users.add(user, "hash")
        async with database.read_only() as reading:
            assert await reading.users.get(user.id) is None
    async with database.read_only() as reading:
        assert await reading.users.get(user.id) is not None


async def test_a_snapshot_sees_what_was_committed_when_its_first_read_began_and_writes_nothing(
    database: PostgresDatabase, pool: Pool
) -> None:
    user = a_user()
    async with database.snapshot() as snapshot:
        assert await snapshot.users.get(user.id) is None
        async with database.transaction() as transaction:
            await transaction.users.add(user, "hash")
        assert await snapshot.users.get(user.id) is None
    async with database.snapshot() as snapshot:
        assert await snapshot.users.get(user.id) is not None
        with pytest.raises(Unavailable, match="ReadOnly"):
            await snapshot.users.set_password(user.id, "other")
    async with database.read_only() as reading:
        assert await reading.users.password_hash(user.id) == "hash"
    assert pool.get_idle_size() == pool.get_size()


async def test_a_connection_cut_in_a_transaction_is_unavailable_and_the_next_one_works(
    database: PostgresDatabase, database_dsn: str
) -> None:
    user = await stored_user(database)
    with pytest.raises(Unavailable):
        await _change_while_cut(database, user.id, database_dsn)

    async with database.transaction() as transaction:
        assert await transaction.users.password_hash(user.id) == "a hash"


async def _change_while_cut(database: PostgresDatabase, user_id: UUID, dsn: str) -> None:
    async with database.transaction() as transaction:
        await transaction.users.set_password(user_id, "changed")
        await execute(dsn, OTHERS)
        await transaction.users.password_hash(user_id)


async def test_a_connection_cut_before_the_commit_is_unavailable(database: PostgresDatabase, database_dsn: str) -> None:
    user = await stored_user(database)
    with pytest.raises(Unavailable):
        await _change_and_be_cut(database, user.id, database_dsn)

    async with database.read_only() as reading:
        assert await reading.users.password_hash(user.id) == "a hash"


async def _change_and_be_cut(database: PostgresDatabase, user_id: UUID, dsn: str) -> None:
    async with database.transaction() as transaction:
        await transaction.users.set_password(user_id, "changed")
        await execute(dsn, OTHERS)


async def test_a_connection_that_dies_while_it_is_given_back_harms_nobody(
    database: PostgresDatabase, pool: Pool
) -> None:
    async with database.transaction() as transaction:
        _die_at_the_next_step(transaction)
    async with database.read_only() as reading:
        _die_at_the_next_step(reading)
    user = await stored_user(database)
    async with database.read_only() as reading:
        assert await reading.users.get(user.id) is not None
    assert pool.get_idle_size() == pool.get_size()


def _die_at_the_next_step(transaction: PostgresTransaction) -> None:
    """Cut the connection as soon as its user waits for something: to be given back, for one."""
    driver = transaction._connection.driver
    asyncio.get_running_loop().call_soon(driver._con.terminate)


async def test_connections_that_died_in_the_pool_are_replaced_unnoticed(
    database: PostgresDatabase, pool: Pool, database_dsn: str
) -> None:
    user = await stored_user(database)
    held = [await pool.acquire() for _ in range(4)]
    for connection in held:
        await pool.release(connection)
    await execute(database_dsn, OTHERS)

    for _ in range(4):
        async with database.transaction() as transaction:
            assert await transaction.users.get(user.id) == user


@needs_database_timeouts
async def test_a_deadlock_is_unavailable_for_one_and_passes_for_the_other(database: PostgresDatabase) -> None:
    first, second = await stored_user(database), await stored_user(database)
    barrier = asyncio.Barrier(2)

    async def change(one: UUID, other: UUID) -> None:
        async with database.transaction() as transaction:
            await transaction.users.set_password(one, "changed")
            await barrier.wait()
            await transaction.users.set_password(other, "changed")

    outcomes = await asyncio.gather(change(first.id, second.id), change(second.id, first.id), return_exceptions=True)

    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NoneType", "Unavailable"]


async def test_a_swallowed_error_does_not_pass_for_a_commit(database: PostgresDatabase) -> None:
    user = await stored_user(database)
    with pytest.raises(RuntimeError, match="nothing is stored"):
        await _change_and_swallow(database, user.id)

    async with database.read_only() as reading:
        assert await reading.users.password_hash(user.id) == "a hash"


async def _change_and_swallow(database: PostgresDatabase, user_id: UUID) -> None:
    async with database.transaction() as transaction:
        await transaction.users.set_password(user_id, "changed")
        with contextlib.suppress(asyncpg.UniqueViolationError):
            await transaction.users.add(a_user(id=user_id), "hash")


async def test_a_cancelled_transaction_is_rolled_back_and_frees_its_connection(database_dsn: str) -> None:
    async with await patient_pool(database_dsn, max_size=3) as pool:
        database = patient_database(pool, EmbeddedBus(), SystemClock())
        user = await stored_user(database)

        async def change() -> None:
            async with database.transaction() as transaction:
                await transaction.users.set_password(user.id, "changed")

        async with database.transaction() as transaction:
            await transaction.users.set_password(user.id, "mine")
            waiting = [asyncio.create_task(change()) for _ in range(1)]
            await somebody_waits_for_a_lock(pool)
            waiting[0].cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await waiting[0]
        for _ in range(6):
            async with database.transaction() as transaction:
                assert await transaction.users.password_hash(user.id) == "mine"


async def test_a_caller_that_gets_no_connection_in_time_gets_unavailable(database_dsn: str) -> None:
    async with await patient_pool(database_dsn, max_size=1) as pool:
        database = PostgresDatabase(pool, EmbeddedBus(), SystemClock(), acquire_timeout_seconds=0.05)
        async with database.read_only():
            with pytest.raises(Unavailable):
                async with database.transaction():
                    pass
        async with database.transaction() as transaction:
            assert await transaction.users.get_by_email("nobody@example.com") is None


async def test_a_closed_pool_is_unavailable(database_dsn: str) -> None:
    pool = await patient_pool(database_dsn)
    database = patient_database(pool, EmbeddedBus(), SystemClock())
    await pool.close()
    with pytest.raises(Unavailable):
        async with database.transaction():
            pass
