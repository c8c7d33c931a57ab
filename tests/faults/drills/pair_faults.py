"""What strikes the PostgreSQL pair, its Patroni and its etcd; at the end of the block all runs and is in step."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from tests.faults.drills.databases import PairDatabase
from tests.faults.drills.faults import Fault
from tests.faults.drills.stage import DrillStage

Strike = Callable[[PairDatabase], Awaitable[None]]


def on_pair(strike: Strike) -> Fault:
    """Let something strike the pair, and heal it at the end."""

    @asynccontextmanager
    async def fault(stage: DrillStage) -> AsyncIterator[None]:
        pair = stage.pair
        assert pair is not None
        await strike(pair)
        try:
            yield
        finally:
            await pair.heal()

    return fault


async def kill_primary(pair: PairDatabase) -> None:
    """Kill PostgreSQL and Patroni on the primary's machine."""
    (await pair.cluster.primary()).kill()


async def kill_primary_server(pair: PairDatabase) -> None:
    """Kill PostgreSQL on the primary's machine, and leave its Patroni alone."""
    (await pair.cluster.primary()).postgres.kill()


async def freeze_primary(pair: PairDatabase) -> None:
    """Freeze PostgreSQL and Patroni on the primary's machine."""
    (await pair.cluster.primary()).freeze()


async def kill_replica(pair: PairDatabase) -> None:
    """Kill PostgreSQL and Patroni on the replica's machine."""
    for node in await pair.cluster.replicas():
        node.kill()


async def freeze_replica(pair: PairDatabase) -> None:
    """Freeze PostgreSQL and Patroni on the replica's machine: commits wait for it until it is left out."""
    for node in await pair.cluster.replicas():
        node.freeze()


async def kill_etcd_member(pair: PairDatabase) -> None:
    """Kill the etcd member on the primary's machine."""
    (await pair.cluster.primary()).etcd.kill()


async def kill_etcd(pair: PairDatabase) -> None:
    """Kill all etcd members."""
    for member in pair.cluster.etcd.values():
        member.kill()


async def cut_pair(pair: PairDatabase) -> None:
    """Cut the lines between the two machines; both reach etcd."""
    for link in pair.between:
        link.cut()
