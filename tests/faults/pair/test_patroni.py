"""What the pair of `deploy/patroni` itself promises, without the engine."""

from contextlib import suppress

import asyncpg
import pytest

from infra.clock import SystemClock
from infra.doctor.database import check_database, reached_database
from infra.doctor.findings import Status
from infra.postgres.hosts import PrimaryConnector
from infra.settings_loading import load_settings
from tests.support.patroni import PatroniCluster
from tests.support.waiting import PATIENCE_SECONDS, read_until

pytestmark = pytest.mark.timeout(600)

_FAILURES = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


async def _insert(dsn: str, number: int) -> bool:
    """Store a number on the primary; False where that isn't acknowledged."""
    with suppress(*_FAILURES):
        connection = await PrimaryConnector(dsn).connect(timeout=3)
        try:
            await connection.execute("INSERT INTO numbers VALUES ($1)", number, timeout=10)
        finally:
            connection.terminate()
        return True
    return False


@pytest.fixture
async def writable(pair: PatroniCluster) -> PatroniCluster:
    """A pair with an empty table `numbers`."""
    connection = await asyncpg.connect(pair.dsn, target_session_attrs="read-write")
    await connection.execute("CREATE TABLE IF NOT EXISTS numbers (number int); TRUNCATE numbers")
    await connection.close()
    return pair


async def _stored(dsn: str) -> set[int]:
    connection = await PrimaryConnector(dsn).connect()
    rows = await connection.fetch("SELECT number FROM numbers")
    await connection.close()
    return {row["number"] for row in rows}


async def test_the_replica_takes_over_with_all_that_was_acknowledged_when_the_primary_is_killed(
    writable: PatroniCluster,
) -> None:
    old = await writable.primary()
    acknowledged = {number for number in range(20) if await _insert(writable.dsn, number)}

    old.postgres.kill()
    await read_until(lambda: _insert(writable.dsn, 100), bool, "writes are back")

    assert acknowledged == set(range(20))
    assert await _stored(writable.dsn) >= acknowledged
    assert await writable.primary() != old


async def _doctors_status(pair: PatroniCluster) -> Status:
    async with reached_database(pair.dsn, PATIENCE_SECONDS) as connection:
        settings = load_settings(database_url=pair.dsn)
        found = await check_database(connection, pair.dsn, settings, SystemClock(), engine_runs=False)
    return next(each.status for each in found if each.check == "database.replica")


async def test_the_doctors_status_whether_commits_wait_for_a_replica(pair: PatroniCluster) -> None:
    assert await _doctors_status(pair) is Status.OK
    (replica,) = await pair.replicas()
    replica.kill()
    await read_until(lambda: _doctors_status(pair), lambda status: status is Status.WARNING, "the doctor warns")


async def test_the_former_primary_follows_the_new_one(writable: PatroniCluster) -> None:
    old = await writable.primary()
    await writable.switch_over()
    await writable.in_step()

    assert await writable.replicas() == [old]


async def test_a_primary_that_wakes_up_after_its_replica_was_promoted_acknowledges_nothing_more(
    writable: PatroniCluster,
) -> None:
    old = await writable.primary()
    left_open = await asyncpg.connect(writable.node_dsn(old))
    connector = PrimaryConnector(writable.dsn)
    old.freeze()
    await read_until(lambda: _insert(writable.dsn, 1), bool, "writes are back")
    (await connector.connect()).terminate()

    # Its server wakes up first: until its Patroni does, it believes that it is the primary.
    old.postgres.thaw()
    assert await left_open.fetchval("SELECT pg_is_in_recovery()") is False
    with pytest.raises((TimeoutError, *_FAILURES)):
        await left_open.execute("INSERT INTO numbers VALUES (2)", timeout=3)
    found = await connector.connect()
    assert await found.fetchval("SELECT inet_server_port()") != old.port
    found.terminate()
    another = await PrimaryConnector(writable.dsn).connect()
    assert await another.fetchval("SELECT inet_server_port()") != old.port
    another.terminate()

    old.thaw()
    await writable.in_step()
    left_open.terminate()
    assert await _stored(writable.dsn) == {1}
    assert await writable.replicas() == [old]
