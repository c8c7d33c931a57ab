"""The parts that run: a real engine of one or more nodes with its PostgreSQL, and a real exchange beside it.

They outlive a run; each run has users and accounts of its own.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

from infra.postgres.server.embedded import EmbeddedPostgres
from tests.faults.model.node import Node
from tests.faults.model.plan import CrashStep
from tests.faults.model.venue import Venue
from tests.support.cluster import cluster_settings
from tests.support.graphql_client import Client
from tests.support.hazelcast import Member
from tests.support.postgres import copy_migrated_cluster

_ALONE_SECONDS = 0.3
_TAKEN_OVER_SECONDS = 10.0
"""How long a node is down: where there is another one, longer than its leases."""


class World:
    """One engine, its exchange, and what both stand on."""

    def __init__(self, folder: Path, seed: int, nodes: int = 1) -> None:
        self.folder = folder
        self.venue = Venue(folder / "exchange", seed)
        self.nodes: tuple[Node, ...] = ()
        self._count = nodes
        self._postgres_folder = folder / ("node0/postgres" if nodes == 1 else "postgres")
        self._member: Member | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """Start the exchange, what nodes share, then the nodes."""
        self.folder.mkdir(parents=True, exist_ok=True)
        await self.venue.start()
        self._stack.push_async_callback(self.venue.close)
        await asyncio.to_thread(copy_migrated_cluster, self._postgres_folder)
        sandbox = self.venue.sandbox
        settings = {"R3EDGE_SANDBOX_URL": sandbox.url, "R3EDGE_SANDBOX_TOKEN": sandbox.admin_token}
        if self._count > 1:
            settings = await self._start_shared()
        down_seconds = _ALONE_SECONDS if self._count == 1 else _TAKEN_OVER_SECONDS
        self.nodes = tuple(
            Node(self.folder / f"node{number}", settings, down_seconds, self._spare_the_others)
            for number in range(self._count)
        )
        for node in self.nodes:
            self._stack.push_async_callback(node.close)
            await node.start()
        self._tasks += [asyncio.create_task(node.keep_alive()) for node in self.nodes]

    async def close(self) -> None:
        """End all of it; however that ends, nothing stays behind."""
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        try:
            await self._stack.aclose()
        finally:
            for node in self.nodes:
                node.engine.clean_up()

    def clients(self, token: str | None = None) -> list[Client]:
        """Return a client of each node."""
        return [node.engine.client(token) for node in self.nodes]

    # ---- what strikes it

    def node_of(self, number: int) -> Node:
        """Return the node that a number of the plan means."""
        return self.nodes[number % len(self.nodes)]

    def crash_at(self, step: CrashStep, count: int) -> None:
        """Have the first node that passes a step for the `count`th time from now on kill itself."""
        for node in self.nodes:
            node.crash_at(step, count)

    def kill_postgres(self) -> None:
        """Kill PostgreSQL; who started it starts it again."""
        with suppress(OSError, IndexError, ValueError):  # it may be starting just now
            pid_file = self._postgres_folder / "data" / "postmaster.pid"
            os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGKILL)

    async def kill_bus(self) -> None:
        """Kill what carries messages between the nodes; it comes back when the faults are taken back."""
        if self._member is not None:
            await asyncio.to_thread(self._member.kill)

    async def heal(self) -> None:
        """Take all faults back, and wait until the engine is ready."""
        for node in self.nodes:
            node.heal()
        await self.venue.heal()
        if self._member is not None and not self._member.is_running:
            await asyncio.to_thread(self._member.start)
        for node in self.nodes:
            await node.ready()

    async def _start_shared(self) -> dict[str, str]:
        postgres = EmbeddedPostgres(self._postgres_folder)
        await postgres.start()
        self._stack.push_async_callback(postgres.stop)
        self._tasks.append(asyncio.create_task(postgres.keep_alive()))
        self._member = Member(self.folder)
        await asyncio.to_thread(self._member.start)
        self._stack.callback(self._member.kill)
        member, sandbox = self._member, self.venue.sandbox
        return cluster_settings(postgres.dsn, [member.address], member.cluster_name, sandbox.url, sandbox.admin_token)

    def _spare_the_others(self) -> None:
        """Once one node has crashed at a step, none of the others is to crash there."""
        for node in self.nodes:
            node.spare()


@asynccontextmanager
async def running_world(folder: Path, seed: int, nodes: int = 1) -> AsyncIterator[World]:
    """Run a world for a block."""
    world = World(folder, seed, nodes)
    try:
        await world.start()
        yield world
    finally:
        await world.close()
