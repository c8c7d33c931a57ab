"""What the nodes of a drill keep everything in: one PostgreSQL, or a pair under Patroni and etcd.

Either has `doors`, where its servers listen, and `dsn_through` links to them, in the same order.
"""

import asyncio
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Protocol
from urllib.parse import parse_qs, urlsplit, urlunsplit

from domain.core.background import cancel_and_wait
from infra.postgres.migrate import migrate
from infra.postgres.server.embedded import EmbeddedPostgres
from tests.support.link import Link, Target
from tests.support.patroni import PatroniCluster, new_cluster
from tests.support.ports import free_port
from tests.support.postgres import copy_migrated_cluster
from tests.support.programs import NodePostgres


class Database(Protocol):
    """A database with the newest schema."""

    async def start(self) -> None:
        """Start it; return when it takes writes."""
        ...

    async def close(self) -> None:
        """End it."""
        ...

    async def heal(self) -> None:
        """Start and resume all that was struck; return when it takes writes."""
        ...

    @property
    def dsn(self) -> str: ...

    @property
    def doors(self) -> Sequence[Target]: ...

    def dsn_through(self, links: Sequence[Link]) -> str: ...


class SingleDatabase:
    """One PostgreSQL, which is started again at once when it dies."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._server = EmbeddedPostgres(folder, {"max_wal_size": "64MB"})  # it may be on a small disk
        self._stack = AsyncExitStack()
        self.processes = NodePostgres(folder / "data")

    async def start(self) -> None:
        """Start it on a copy of a migrated database, and what starts it again."""
        await asyncio.to_thread(copy_migrated_cluster, self._folder)
        await self._server.start()
        self._stack.push_async_callback(self._server.stop)
        keeping = asyncio.create_task(self._server.keep_alive())
        self._stack.push_async_callback(cancel_and_wait, keeping)

    async def close(self) -> None:
        """Stop it."""
        await self._stack.aclose()

    async def heal(self) -> None:
        """Resume it; it starts again by itself."""
        self.processes.thaw()

    @property
    def dsn(self) -> str:
        """Its address, with nothing between."""
        return self._server.dsn

    @property
    def doors(self) -> Sequence[Target]:
        """Its socket."""
        place = parse_qs(urlsplit(self._server.dsn).query)
        return [Path(place["host"][0]) / f".s.PGSQL.{place['port'][0]}"]

    def dsn_through(self, links: Sequence[Link]) -> str:
        """Return its address over the only link."""
        return _dsn_over(self._server.dsn, links)


class EmbeddedDatabase:
    """The one of the only node, which starts it, stops it and starts it again."""

    def __init__(self, data_folder: Path) -> None:
        self._folder = data_folder / "postgres"

    async def start(self) -> None:
        """Give the node a migrated database to start on."""
        await asyncio.to_thread(copy_migrated_cluster, self._folder)

    async def close(self) -> None:
        """Leave it to the node."""

    async def heal(self) -> None:
        """Leave it to the node."""

    @property
    def dsn(self) -> str:
        """None that others know."""
        return ""

    @property
    def doors(self) -> Sequence[Target]:
        """None: nothing is between the node and its database."""
        return []

    def dsn_through(self, links: Sequence[Link]) -> str:
        """Return none, for which the node starts its own."""
        return ""


class PairDatabase:
    """Two PostgreSQL nodes and a witness; `between` are the lines by which the nodes reach each other."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.between: list[Link] = []
        self.cluster: PatroniCluster = new_cluster(folder, reached_at=self._reached_at)

    async def start(self) -> None:
        """Start it, and make the schema."""
        for link in self.between:
            await link.start()
        await self.cluster.start()
        await migrate(self.cluster.dsn)

    async def close(self) -> None:
        """End it."""
        await asyncio.to_thread(self.cluster.close)
        for link in self.between:
            await link.close()

    async def heal(self) -> None:
        """Start and resume all; return when the replica has all that the primary acknowledges."""
        for link in self.between:
            link.heal()
        await self.cluster.heal()

    @property
    def dsn(self) -> str:
        """The address of both, with nothing between."""
        return self.cluster.dsn

    @property
    def doors(self) -> Sequence[Target]:
        """The ports of both servers."""
        return [node.port for node in self.cluster.nodes]

    def dsn_through(self, links: Sequence[Link]) -> str:
        """Return the address of both over a link each."""
        return _dsn_over(self.cluster.dsn, links)

    def _reached_at(self, port: int) -> int:
        """Put a link before a port at which the other node reaches this one."""
        self.between.append(Link(port, free_port()))
        return self.between[-1].port


def _dsn_over(dsn: str, links: Sequence[Link]) -> str:
    """Return the address with the links in the place of its hosts."""
    address = urlsplit(dsn)
    hosts = ",".join(f"127.0.0.1:{link.port}" for link in links)
    return urlunsplit(("postgresql", f"{address.username}:{address.password}@{hosts}", address.path, "", ""))
