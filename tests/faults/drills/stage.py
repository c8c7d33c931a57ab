"""The cluster of a drill: nodes, database, Hazelcast members and exchange, with a link on each line between them."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import chain
from pathlib import Path

from tests.faults.drills.databases import Database, EmbeddedDatabase, PairDatabase, SingleDatabase
from tests.faults.drills.member_cluster import MemberCluster
from tests.faults.drills.old_candles import OldCandles
from tests.faults.drills.topology import DatabaseKind, Topology
from tests.faults.model.node import Node
from tests.faults.model.venue import Venue
from tests.support.cluster import cluster_settings
from tests.support.graphql_client import Client
from tests.support.http_client import http_client
from tests.support.link import Link
from tests.support.small_disk import SmallDisk

ANSWER_SECONDS = 4.0
"""How long users wait for an answer before they ask another node; the engine answers an order within 2 s."""

SOCKET_OPTIONS = {"open_timeout": 3, "ping_interval": 1, "ping_timeout": 2, "close_timeout": 1}
"""By which users notice within 3 s that a node doesn't answer any more."""

_HELD = {
    "trader": re.compile(r"^r3edge_accounts_traded (\d+)", re.MULTILINE),
    "collector": re.compile(r"^r3edge_feed_state\{.*\} (1)", re.MULTILINE),
}
"""How much of its role's work a node has, as its metrics have it."""


class DrillStage:
    """All parts of one topology, which outlive a drill; each drill has users of its own.

    `database_links` and `venue_links` are the lines of each node, in the order of the nodes.
    """

    def __init__(self, folder: Path, topology: Topology, seed: int = 1) -> None:
        self.folder = folder
        self.topology = topology
        self.venue = Venue(folder / "exchange", seed)
        self.nodes: tuple[Node, ...] = ()
        self.database_links: list[list[Link]] = []
        self.venue_links: list[Link] = []
        self.single: SingleDatabase | None = None
        self.pair: PairDatabase | None = None
        self.old_candles = OldCandles() if topology.has_archive else None
        self.disk = SmallDisk(folder / "disk", topology.disk_megabytes)
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """Start everything, and return once all nodes are ready."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.hazelcast = MemberCluster(self.folder, self.topology.members, len(self.topology.nodes))
        if self.topology.disk_megabytes:
            self.disk.mount()
            self._stack.callback(self.disk.unmount)
        self._database = self._new_database()
        await self.venue.start()
        self._stack.push_async_callback(self.venue.close)
        # Each close comes before its start: a start that fails, or skips, leaves open lines behind.
        self._stack.push_async_callback(self._database.close)
        await self._database.start()
        self._stack.push_async_callback(self.hazelcast.close)
        await self.hazelcast.start()
        if self.old_candles is not None:
            self._stack.push_async_callback(self.old_candles.close)
            await self.old_candles.start(self._database.dsn)
        self.nodes = tuple([await self._node(number, roles) for number, roles in enumerate(self.topology.nodes)])
        for node in self.nodes:
            self._stack.push_async_callback(node.close)
        await asyncio.gather(*(node.start() for node in self.nodes))

    async def close(self) -> None:
        """End all of it; however that ends, nothing stays behind."""
        try:
            await self._stack.aclose()
        finally:
            for node in self.nodes:
                node.engine.clean_up()

    # ---- what its users need

    def clients(self, token: str | None = None) -> list[Client]:
        """Return an impatient client of each node that has the role web."""
        nodes = zip(self.nodes, self.topology.nodes, strict=True)
        urls = [node.engine.graphql_url for node, roles in nodes if "web" in roles.split(",")]
        return [Client(url, token, ANSWER_SECONDS, SOCKET_OPTIONS) for url in urls]

    async def heal(self) -> None:
        """Take back what may last, and wait until everything is ready."""
        for link in self.links:
            link.heal()
        await self._database.heal()
        await self.venue.heal()
        for node in self.nodes:
            await node.ready()

    # ---- what a fault needs

    @property
    def links(self) -> list[Link]:
        """All lines between the parts."""
        return [*chain(*self.database_links), *self.hazelcast.links, *self.venue_links]

    async def busiest(self, role: str) -> int:
        """Return the number of the node that has most of a role's work, among those with the fewest roles."""
        numbers = [number for number, roles in enumerate(self.topology.nodes) if role in roles.split(",")]
        fewest = min(len(self.topology.nodes[number]) for number in numbers)
        alone = [number for number in numbers if len(self.topology.nodes[number]) == fewest]
        loads = {number: await self._load_of(number, role) for number in alone}
        return max(loads, key=loads.__getitem__)

    async def _load_of(self, number: int, role: str) -> int:
        if role not in _HELD:
            return 0
        async with http_client() as client:
            metrics = (await client.get(f"{self.nodes[number].engine.url}/metrics")).text
        return sum(map(int, _HELD[role].findall(metrics)))

    # ---- how it starts

    def _new_database(self) -> Database:
        place = self.disk.folder if self.topology.disk_megabytes else self.folder
        if self.topology.database is DatabaseKind.PAIR:
            self.pair = PairDatabase(place / "pair")
        elif self.topology.database is DatabaseKind.SINGLE:
            self.single = SingleDatabase(place / "postgres")
        return self.pair or self.single or EmbeddedDatabase(self._node_folder(0))

    def _node_folder(self, number: int) -> Path:
        """Return a node's data directory, which is the small disk where the node has its own database on it."""
        is_small = self.topology.disk_megabytes and self.topology.database is DatabaseKind.EMBEDDED
        return self.disk.folder if is_small else self.folder / f"node{number}"

    async def _node(self, number: int, roles: str) -> Node:
        database = [await self._link(door) for door in self._database.doors]
        venue = await self._link(self.venue.sandbox.port)
        self.database_links.append(database)
        self.venue_links.append(venue)
        dsn = self._database.dsn_through(database)
        members = self.hazelcast.addresses(number)
        sandbox = self.venue.sandbox
        settings = cluster_settings(
            dsn, members, self.hazelcast.name, f"http://127.0.0.1:{venue.port}", sandbox.admin_token
        ) | {"R3EDGE_ROLES": roles}
        if self.old_candles is not None:
            settings |= self.old_candles.settings
        return Node(self._node_folder(number), settings, 0.0, lambda: None)

    async def _link(self, target: Path | int) -> Link:
        link = Link(target)
        await link.start()
        self._stack.push_async_callback(link.close)
        return link


@asynccontextmanager
async def running_stage(folder: Path, topology: Topology) -> AsyncIterator[DrillStage]:
    """Run a stage for a block."""
    stage = DrillStage(folder / "stage", topology)
    try:
        await stage.start()
        yield stage
    finally:
        await stage.close()
