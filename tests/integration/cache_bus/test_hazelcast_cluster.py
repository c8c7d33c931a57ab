"""Two nodes on a cluster of three members with the shipped configuration, some of which die, freeze or restart."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from domain.ports.unit_of_work import Database
from infra.hazelcast.options import HazelcastOptions, HazelcastRouting
from tests.integration.cache_bus.test_hazelcast_deployed import deployed
from tests.support.cluster_load import Load, LoadedNode, is_used_again
from tests.support.hazelcast import SPLIT_NETWORK, Member, cluster_of, start_all
from tests.support.link import Link, linked
from tests.support.ports import free_port
from tests.support.waiting import eventually, read_until

HEARTBEAT_SECONDS = 4.0
SPLIT = re.sub(r"  <network>.*</network>\n", lambda _: SPLIT_NETWORK, deployed(), flags=re.DOTALL)


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Member]]:
    """Three members, whole again after each test; the third has joined the others late."""
    members = cluster_of(tmp_path_factory.mktemp("cluster"), 3, deployed(), "r3edge")
    start_all(members[:2])
    members[2].start()
    yield members
    for member in members:
        member.kill()


@asynccontextmanager
async def loaded(database: Database, members: list[Member], link: Link | None = None) -> AsyncIterator[Load]:
    """Run a load on two nodes, the second behind a link if there is one; at the end nothing may have been wrong."""
    addresses = [member.address for member in members]
    usual = HazelcastOptions(addresses, "r3edge", heartbeat_timeout_seconds=HEARTBEAT_SECONDS)
    single = replace(usual, members=[f"127.0.0.1:{link.port}"], routing=HazelcastRouting.SINGLE) if link else usual
    async with AsyncExitStack() as stack:
        nodes = [LoadedNode(options, database) for options in (usual, single)]
        for node in nodes:
            await node.start()
            stack.push_async_callback(node.close)
        load = Load(nodes[0], nodes[1], database)
        await stack.enter_async_context(load.running())
        await whole(load, len(members))
        yield load
        await whole(load, len(members))
        assert load.wrong == []


@pytest.fixture
async def load(members: list[Member], database: Database) -> AsyncIterator[Load]:
    async with loaded(database, members) as load:
        yield load


async def whole(load: Load, members: int = 3) -> None:
    await read_until(lambda: is_used_again(load, members), bool, f"{members} members are used by both nodes")


async def some_work(load: Load) -> None:
    """Let the load do some more of everything."""
    before = dict(load.counts)
    kinds = ("publish", "read", "write", "login check", "rate limit", "revocation")
    await eventually(lambda: all(load.counts[kind] > before.get(kind, 0) + 1 for kind in kinds), "the load goes on")


async def test_two_members_serve_and_a_third_joins_them(load: Load) -> None:
    for node in (load.here, load.there):
        assert (await node.connection.session()).known_members == 3


async def test_nothing_is_wrong_while_one_of_three_is_killed_and_comes_back(load: Load, members: list[Member]) -> None:
    members[1].kill()
    await some_work(load)
    await whole(load, members=2)
    await asyncio.to_thread(members[1].start)


async def test_nothing_is_wrong_while_one_of_three_is_frozen(load: Load, members: list[Member]) -> None:
    members[2].freeze()
    await some_work(load)
    await eventually(lambda: load.counts["revocation"] > 5, "the load goes on for long")
    members[2].thaw()


async def test_nothing_is_wrong_while_members_are_restarted_one_by_one(load: Load, members: list[Member]) -> None:
    for member in members:
        await asyncio.to_thread(member.stop)
        await some_work(load)
        await asyncio.to_thread(member.start)
        await whole(load)


async def test_nothing_is_wrong_while_all_are_killed_and_come_back_empty(load: Load, members: list[Member]) -> None:
    losses = load.losses
    for member in members:
        member.kill()
    await some_work(load)
    assert not load.here.connection.connected
    await asyncio.to_thread(start_all, members)
    await whole(load)
    assert load.losses > losses, "who listens isn't told to read the log"


@pytest.mark.parametrize("cut", [Link.cut, Link.cut_answers], ids=["nothing passes", "no answer passes"])
async def test_nothing_is_wrong_while_one_of_two_nodes_is_cut_off(
    members: list[Member], database: Database, cut: Callable[[Link], None]
) -> None:
    async with linked(members[0].port) as link, loaded(database, members, link) as load:
        losses, session = load.losses, await load.there.connection.session()
        cut(link)
        await eventually(session.closed.is_set, "the silent member is given up")
        await some_work(load)
        link.heal()
        await whole(load)
        assert load.losses > losses, "who listens isn't told to read the log"


@pytest.fixture
async def split_pair(tmp_path: Path) -> AsyncIterator[tuple[list[Member], list[Link]]]:
    """Two members, and the lines between them; clients reach each member by another way."""
    async with AsyncExitStack() as stack:
        ports = [free_port(), free_port()]
        links = [await stack.enter_async_context(linked(port)) for port in ports]
        members = []
        for number, (port, link) in enumerate(zip(ports, links, strict=True)):
            (tmp_path / str(number)).mkdir()
            more = {"client_port": free_port(), "link_port": link.port}
            peers = [each.port for each in links]
            members.append(Member(tmp_path / str(number), SPLIT, "r3edge", port=port, peers=peers, **more))
            stack.callback(members[-1].kill)
        await asyncio.to_thread(start_all, members)
        yield members, links


async def test_nothing_is_wrong_while_a_cluster_is_split_and_after_its_halves_have_merged(
    split_pair: tuple[list[Member], list[Link]], database: Database
) -> None:
    members, links = split_pair
    async with loaded(database, members) as load:
        sessions = [await node.connection.session() for node in (load.here, load.there)]
        for link in links:
            link.cut()
        await eventually(
            lambda: all(session.closed.is_set() or session.known_members == 1 for session in sessions),
            "each node knows of one half",
        )
        await some_work(load)
        for link in links:
            link.heal()
        await whole(load, members=2)
