"""Reads of the past come from the replica, and from the primary while there is none that could answer them."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import asyncpg
import pytest

from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import create_pool, create_standby_pool
from infra.postgres.replicas import Replicas
from tests.support.engine_log import EngineLog
from tests.support.patroni import PairNode, PatroniCluster
from tests.support.waiting import read_until

pytestmark = pytest.mark.timeout(600)
MAX_LAG_SECONDS = 5.0
_BEAT = "CREATE TABLE IF NOT EXISTS beats (at timestamptz); INSERT INTO beats VALUES (now())"


class Reader:
    """Says which server answers reads of the past."""

    def __init__(self, pair: PatroniCluster, database: PostgresDatabase, replicas: Replicas) -> None:
        self.replicas = replicas
        self._pair = pair
        self._database = database

    async def port(self, until: datetime | None = None) -> int:
        """Return the port of the server that answers a read of what was committed by then, or an hour ago."""
        an_hour_ago = SystemClock().now() - timedelta(hours=1)
        async with self._database.read_past(until or an_hour_ago) as reading:
            port: int = await reading._connection.fetchval("SELECT inet_server_port()")
        return port

    async def answered_by(self, node: PairNode) -> None:
        """Return once reads of the past are answered by this node."""
        await read_until(self._port_after_a_commit, lambda port: port == node.port, f"{node.name} answers")

    async def _port_after_a_commit(self) -> int:
        # As nodes do every two seconds: how far a replica is behind is told by its last commit.
        connection = await asyncpg.connect(self._pair.node_dsn(await self._pair.primary()))
        await connection.execute(_BEAT)
        await connection.close()
        return await self.port()


@pytest.fixture
async def reader(pair: PatroniCluster) -> AsyncIterator[Reader]:
    clock = SystemClock()
    async with await create_pool(pair.dsn, init_size=1) as pool, await create_standby_pool(pair.dsn, 4) as standbys:
        replicas = Replicas(standbys, clock, MAX_LAG_SECONDS)
        yield Reader(pair, PostgresDatabase(pool, EmbeddedBus(), clock, replicas=replicas), replicas)


async def _roles(pair: PatroniCluster) -> tuple[PairNode, PairNode]:
    primary = await pair.primary()
    return primary, next(node for node in pair.nodes if node != primary)


async def test_the_past_is_read_from_the_replica_and_the_present_from_the_primary(
    pair: PatroniCluster, reader: Reader
) -> None:
    primary, replica = await _roles(pair)
    await reader.answered_by(replica)
    assert await reader.port(SystemClock().now() + timedelta(seconds=1)) == primary.port
    assert reader.replicas.reads["replica"] > 0


async def test_the_primary_answers_while_the_replica_is_frozen_and_the_log_says_so_once(
    pair: PatroniCluster, reader: Reader, engine_log: EngineLog
) -> None:
    primary, replica = await _roles(pair)
    await reader.answered_by(replica)
    replica.freeze()
    await read_until(reader.port, lambda port: port == primary.port, "the primary answers")
    assert [await reader.port() for _ in range(3)] == [primary.port] * 3
    replica.thaw()
    await reader.answered_by(replica)
    assert engine_log().count("reads of the past go to the primary") == 1


async def test_a_replica_that_is_too_far_behind_is_not_read(pair: PatroniCluster, reader: Reader) -> None:
    primary, replica = await _roles(pair)
    await reader.answered_by(replica)
    on_replica = await asyncpg.connect(pair.node_dsn(replica, superuser=True))
    await on_replica.execute("SELECT pg_wal_replay_pause()")
    try:
        await read_until(reader.port, lambda port: port == primary.port, "the primary answers")
    finally:
        await on_replica.execute("SELECT pg_wal_replay_resume()")
        await on_replica.close()
    await reader.answered_by(replica)


async def test_a_replica_that_was_promoted_is_left_for_the_new_one(pair: PatroniCluster, reader: Reader) -> None:
    primary, replica = await _roles(pair)
    await reader.answered_by(replica)
    await pair.switch_over()
    await reader.answered_by(primary)
