"""Several engine nodes over one database, one Hazelcast member and one exchange, and what all of them use."""

import base64
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from bench.parts import Engine, database, engine, exchange, scratch
from bench.processes import cpu_seconds, cpu_seconds_by_part, memory_by_part
from infra.clock import SystemClock
from infra.hazelcast.client import HazelcastConnection
from infra.hazelcast.frames import SHARDS
from infra.hazelcast.options import HazelcastOptions
from tests.support.hazelcast import Member

PARTS = ("engine nodes", "PostgreSQL", "Hazelcast", "sandbox exchange", "clients")
_KEY = base64.b64encode(bytes(range(32))).decode()
_WORK = "SELECT xact_commit + xact_rollback, pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint FROM pg_stat_database"


@dataclass(frozen=True, slots=True)
class Used:
    """What the parts have used so far: seconds of processor time, transactions, bytes of WAL, messages on the bus."""

    cpu: dict[str, float]
    transactions: float
    wal_bytes: float
    messages: float

    def times(self, factor: float) -> "Used":
        """Return so many times as much."""
        cpu = {part: seconds * factor for part, seconds in self.cpu.items()}
        return Used(cpu, self.transactions * factor, self.wal_bytes * factor, self.messages * factor)

    def __sub__(self, before: "Used") -> "Used":
        return Used(
            {part: self.cpu[part] - before.cpu[part] for part in PARTS},
            self.transactions - before.transactions,
            self.wal_bytes - before.wal_bytes,
            self.messages - before.messages,
        )


@dataclass(frozen=True)
class Cluster:
    """The nodes, and the ways to ask what they and the other parts use."""

    nodes: Sequence[Engine]
    _pids: dict[str, int]
    _sql: "asyncpg.Connection[asyncpg.Record]"
    _bus: HazelcastConnection
    _own_pid: int

    async def used(self) -> Used:
        """Return what all have used until now."""
        row = await self._sql.fetchrow(f"{_WORK} WHERE datname = current_database()")
        assert row is not None
        cpu = {
            "engine nodes": sum(cpu_seconds_by_part(node.process.pid)["engine"] for node in self.nodes),
            "PostgreSQL": cpu_seconds_by_part(self._pids["PostgreSQL"])["PostgreSQL"],
            "Hazelcast": cpu_seconds(self._pids["Hazelcast"]),
            "sandbox exchange": cpu_seconds(self._pids["sandbox exchange"]),
            "clients": cpu_seconds(self._own_pid),
        }
        return Used(cpu, int(row[0]), int(row[1]), await self._messages())

    def memory_mib(self) -> float:
        """Return what the nodes have allocated."""
        return sum(memory_by_part(node.process.pid)["engine"].anonymous for node in self.nodes)

    async def _messages(self) -> int:
        client = (await self._bus.session()).client
        buffers = [await client.get_ringbuffer(f"_hz_rb_{shard}") for shard in SHARDS]
        return sum([await buffer.tail_sequence() + 1 for buffer in buffers])


@asynccontextmanager
async def cluster(size: int, own_pid: int) -> AsyncGenerator[Cluster]:
    """Run so many nodes, each with all roles, until the end of the block; all are ready when it begins."""
    async with AsyncExitStack() as stack:
        folder = await stack.enter_async_context(scratch())
        dsn = await stack.enter_async_context(database(folder))
        sandbox = await stack.enter_async_context(exchange(folder))
        member = Member(folder)
        stack.callback(member.kill)
        member.start()
        settings = {
            "R3EDGE_DATABASE_URL": dsn,
            "R3EDGE_HAZELCAST_MEMBERS": member.address,
            "R3EDGE_HAZELCAST_CLUSTER": member.cluster_name,
            "R3EDGE_SECRET_KEY": _KEY,
        }
        nodes = [
            await stack.enter_async_context(engine(folder / f"node-{number}", sandbox, **settings))
            for number in range(size)
        ]
        sql = await asyncpg.connect(dsn)
        stack.push_async_callback(sql.close)
        bus = HazelcastConnection(HazelcastOptions([member.address], member.cluster_name), SystemClock())
        await bus.start()
        stack.push_async_callback(bus.close)
        pids = {
            "PostgreSQL": _postmaster(folder / "postgres"),
            "Hazelcast": member.pid,
            "sandbox exchange": sandbox.process.pid,
        }
        yield Cluster(nodes, pids, sql, bus, own_pid)


def _postmaster(folder: Path) -> int:
    return int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
