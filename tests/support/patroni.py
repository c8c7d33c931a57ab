"""A real PostgreSQL pair under Patroni and etcd on loopback, from the files of `deploy/patroni`, to kill and freeze."""

import asyncio
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from infra.postgres.server.installation import binary, libraries, server_environment
from infra.postgres.server.server_user import make_reachable, server_user
from tests.support.http_client import http_client
from tests.support.ports import free_port
from tests.support.programs import NodePostgres, Program
from tests.support.require import require_or_skip
from tests.support.waiting import read_until

_SHIPPED = Path(__file__).parents[2] / "deploy" / "patroni"
_PASSWORDS = ("superuser", "replication", "rewind", "api", "engine")
_START_SECONDS = 120.0
_IS_SYNCHRONOUS = "SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'"


@dataclass(frozen=True, slots=True)
class PairNode:
    """A machine of the pair: its PostgreSQL, its Patroni and, by the same name, its etcd."""

    name: str
    port: int
    api_port: int
    folder: Path
    patroni: Program
    postgres: NodePostgres
    etcd: Program

    def freeze(self) -> None:
        """Stop Patroni and PostgreSQL, as a machine does whose virtual processor is taken away."""
        self.patroni.freeze()
        self.postgres.freeze()

    def thaw(self) -> None:
        """Resume them after `freeze`."""
        self.postgres.thaw()
        self.patroni.thaw()

    def kill(self) -> None:
        """Kill Patroni and PostgreSQL."""
        self.patroni.kill()
        self.postgres.kill()


class PatroniCluster:
    """PostgreSQL nodes under Patroni; `dsn` names all of them, `node_dsn` one of them, for the engine's role."""

    def __init__(self, folder: Path, nodes: int, witnesses: int, reached_at: Callable[[int], int]) -> None:
        self._reached_at = reached_at
        self._user = server_user(folder)
        self._passwords = {
            name: secrets.token_hex(12) for name in ("superuser", "replication", "rewind", "api", "engine")
        }
        self._folder = folder
        names = [f"pg{number + 1}" for number in range(nodes)]
        self.etcd = dict(self._etcd_members([*names, *(f"witness{number + 1}" for number in range(witnesses))]))
        self.nodes = [self._node(name) for name in names]

    @property
    def dsn(self) -> str:
        """The address of the engine's database on whichever node is primary."""
        return self._dsn(",".join(f"127.0.0.1:{node.port}" for node in self.nodes))

    def node_dsn(self, node: PairNode, *, superuser: bool = False) -> str:
        """Return the address of the database on this node, primary or not."""
        return self._dsn(f"127.0.0.1:{node.port}", superuser=superuser)

    async def primary(self) -> PairNode:
        """Return the node that Patroni calls the leader and whose server takes writes, once there is one."""
        members = await read_until(self.members, _leader, "a primary", _START_SECONDS)
        return self._by_name(_leader(members))

    async def replicas(self) -> list[PairNode]:
        """Return the nodes that stream from the primary now."""
        members = await self.members()
        return [self._by_name(name) for name, it in members.items() if it["state"] == "streaming"]

    async def members(self) -> dict[str, dict[str, Any]]:
        """Return what Patroni says of its members, by name: role, state, timeline, lag; nothing if none answers."""
        async with http_client(timeout=2) as http:
            for node in self.nodes:
                with suppress(httpx.HTTPError):
                    answer = await http.get(f"http://127.0.0.1:{node.api_port}/cluster")
                    return {member["name"]: member for member in answer.json()["members"]}
        return {}

    async def switch_over(self) -> None:
        """Make the replica the primary, as for planned maintenance (`patronictl switchover`)."""
        old = await self.primary()
        command = ["switchover", "--leader", old.name, "--force"]
        await asyncio.to_thread(self.patronictl, old, *command)
        await read_until(self.members, lambda it: _leader(it) not in (None, old.name), "another primary")

    def patronictl(self, node: PairNode, *arguments: str) -> str:
        """Run Patroni's command line with a node's configuration; return what it prints."""
        program = Path(sys.executable).with_name("patronictl")
        done = subprocess.run(
            [program, "-c", node.folder / "patroni.yaml", *arguments],
            env=self._patroni_environment(node.name, node.port, node.api_port, (node.port, node.api_port)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    async def heal(self) -> None:
        """Start and resume whatever a test has stopped; return when every other node follows the primary in step."""
        for member in self.etcd.values():
            member.thaw()
            member.start()
        for node in self.nodes:
            node.thaw()
            node.patroni.start()
        await self.in_step()

    async def in_step(self) -> None:
        """Return when there is a primary, the others stream from it, and commits wait for one of them."""
        try:
            await read_until(self.members, self._is_in_step, "the pair in step", _START_SECONDS)
            primary = await self.primary()
            await read_until(lambda: self._waits_for_replica(primary), bool, "synchronous commits", _START_SECONDS)
        except AssertionError as error:
            logs = "\n\n".join(f"{node.name}: {node.patroni.log_tail()}" for node in self.nodes)
            raise AssertionError(f"{error}\n{logs}") from error

    async def start(self) -> None:
        """Start all; return when the pair is in step."""
        for member in self.etcd.values():
            member.start()
        for node in self.nodes:
            node.patroni.start()
        await self.in_step()

    def close(self) -> None:
        """End all without ceremony: the folder is thrown away."""
        for node in self.nodes:
            node.kill()
        for member in self.etcd.values():
            member.kill()

    def _is_in_step(self, members: dict[str, dict[str, Any]]) -> bool:
        followers = [it for it in members.values() if it["role"] != "leader"]
        return (
            len(members) == len(self.nodes)
            and _leader(members) is not None
            and all(it["state"] == "streaming" for it in followers)
            and (not followers or any(it["role"] == "sync_standby" for it in followers))
        )

    async def _waits_for_replica(self, primary: PairNode) -> bool:
        """Whether the primary's commits wait: Patroni says so first and sets it then."""
        if len(self.nodes) == 1:
            return True
        with suppress(OSError, asyncpg.PostgresError):
            connection = await asyncpg.connect(self.node_dsn(primary, superuser=True), timeout=5)
            try:
                return await connection.fetchval(
                    "SELECT count(*) > 0 FROM pg_stat_replication WHERE sync_state = 'sync'"
                )
            finally:
                await connection.close()
        return False

    def _by_name(self, name: str | None) -> PairNode:
        return next(node for node in self.nodes if node.name == name)

    def _dsn(self, hosts: str, *, superuser: bool = False) -> str:
        user, password = ("postgres", "superuser") if superuser else ("r3edge", "engine")
        return f"postgresql://{user}:{self._passwords[password]}@{hosts}/r3edge"

    def _etcd_members(self, names: Sequence[str]) -> Iterator[tuple[str, Program]]:
        peers = {name: f"http://127.0.0.1:{free_port()}" for name in names}
        self._etcd_ports = {name: free_port() for name in names}
        for name, peer in peers.items():
            folder = self._new_folder(f"etcd-{name}")
            client = f"http://127.0.0.1:{self._etcd_ports[name]}"
            data = folder / "data"
            environment = {
                **_settings("etcd.env.example"),
                "ETCD_NAME": name,
                "ETCD_DATA_DIR": str(data),
                "ETCD_LISTEN_PEER_URLS": peer,
                "ETCD_INITIAL_ADVERTISE_PEER_URLS": peer,
                "ETCD_LISTEN_CLIENT_URLS": client,
                "ETCD_ADVERTISE_CLIENT_URLS": client,
                "ETCD_INITIAL_CLUSTER": ",".join(f"{each}={url}" for each, url in peers.items()),
            }
            # Its folder stands in the command line too, by which what a killed run left over is found.
            command = ["/bin/sh", "-c", f'exec "{shutil.which("etcd")}"', str(folder)]
            yield name, Program(command, folder, environment, folder / "etcd.log")

    def _node(self, name: str) -> PairNode:
        folder = self._new_folder(name)
        for shipped in ("patroni.yaml", "create-database.sh"):
            shutil.copy(_SHIPPED / shipped, folder)
        port, api_port = free_port(), free_port()
        reached = self._reached_at(port), self._reached_at(api_port)
        command = [sys.executable, "-m", "patroni", folder / "patroni.yaml"]
        environment = self._patroni_environment(name, port, api_port, reached)
        patroni = Program(command, folder, environment, folder / "patroni.log")
        return PairNode(name, port, api_port, folder, patroni, NodePostgres(folder / "data"), self.etcd[name])

    def _patroni_environment(self, name: str, port: int, api_port: int, reached: tuple[int, int]) -> dict[str, str]:
        folder = self._folder / name
        programs = binary("postgres").parent
        return {
            **_settings("node.env.example"),
            **server_environment(),
            "PATH": f"{programs}:{os.defpath}",
            "PATRONI_NAME": name,
            "PATRONI_ETCD3_HOSTS": ",".join(f"127.0.0.1:{etcd_port}" for etcd_port in self._etcd_ports.values()),
            "PATRONI_POSTGRESQL_LISTEN": f"127.0.0.1:{port}",
            "PATRONI_POSTGRESQL_CONNECT_ADDRESS": f"127.0.0.1:{reached[0]}",
            "PATRONI_POSTGRESQL_DATA_DIR": str(folder / "data"),
            "PATRONI_POSTGRESQL_BIN_DIR": str(programs),
            "PATRONI_POSTGRESQL_PGPASS": str(folder / "pgpass"),
            "PATRONI_RESTAPI_LISTEN": f"127.0.0.1:{api_port}",
            "PATRONI_RESTAPI_CONNECT_ADDRESS": f"127.0.0.1:{reached[1]}",
            "PATRONI_RESTAPI_PASSWORD": self._passwords["api"],
            "PATRONI_SUPERUSER_PASSWORD": self._passwords["superuser"],
            "PATRONI_REPLICATION_PASSWORD": self._passwords["replication"],
            "PATRONI_REWIND_PASSWORD": self._passwords["rewind"],
            "R3EDGE_DATABASE_PASSWORD": self._passwords["engine"],
        }

    def _new_folder(self, name: str) -> Path:
        folder = self._folder / name
        folder.mkdir(mode=0o700)
        if self._user is not None:
            os.chown(folder, self._user.uid, self._user.gid)
        return folder


@asynccontextmanager
async def patroni_cluster(folder: Path, nodes: int = 2, witnesses: int = 1) -> AsyncIterator[PatroniCluster]:
    """Run a pair (or more) in `folder`, with an etcd member a node and `witnesses` more; skips without etcd."""
    cluster = new_cluster(folder, nodes, witnesses)
    try:
        await cluster.start()
        yield cluster
    finally:
        await asyncio.to_thread(cluster.close)


def new_cluster(
    folder: Path, nodes: int = 2, witnesses: int = 1, reached_at: Callable[[int], int] = int
) -> PatroniCluster:
    """Return a cluster that isn't started yet, for what outlives one loop: `start` and `close` it.

    `reached_at` names, for each port of a node, the one at which the other nodes reach it.
    """
    require_or_skip(sys.platform == "linux", "the pair's processes are found by /proc")
    require_or_skip(shutil.which("etcd"), "etcd is not installed (Debian: etcd-server)")
    _make_reachable(folder)
    return PatroniCluster(folder, nodes, witnesses, reached_at)


def _make_reachable(folder: Path) -> None:
    """Let the user that runs PostgreSQL instead of root reach the folder, the programs and this Python."""
    user = server_user(folder / "missing")
    if user is None:
        return
    os.chown(folder, user.uid, user.gid)
    for path in (folder, binary("postgres").parent, libraries(), Path(sys.executable).parent, Path(sys.base_prefix)):
        make_reachable(path, user)


def _leader(members: dict[str, dict[str, Any]]) -> str | None:
    """Return the name of the running leader; None while there is none."""
    return next((name for name, it in members.items() if it["role"] == "leader" and it["state"] == "running"), None)


def _settings(example: str) -> dict[str, str]:
    """Return what a shipped example of an environment sets."""
    lines = (line.strip() for line in (_SHIPPED / example).read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
