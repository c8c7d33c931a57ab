"""What happens to a node while its Hazelcast cluster is killed, frozen, or not there at all."""

import asyncio
import logging
from dataclasses import replace
from uuid import uuid4

import pytest
from hazelcast.asyncio import HazelcastClient
from prometheus_client import CollectorRegistry

from domain.ports.cache import CacheSpace
from infra.embedded.bus import EmbeddedBus
from infra.hazelcast.bus import HazelcastBus
from infra.hazelcast.cache import HazelcastCache
from infra.hazelcast.client import HazelcastConnection
from infra.hazelcast.options import HazelcastOptions
from infra.metrics.hazelcast import HazelcastMetrics
from tests.integration.cache_bus.conftest import UNHURRIED_SECONDS, Connect, RealClock
from tests.support.hazelcast import SEAL, Member
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE_SECONDS, eventually, read_until


async def test_a_killed_member_costs_the_other_nodes_messages_alone_and_a_restarted_one_brings_them_back(
    connect: Connect, own_member: Member, caplog: pytest.LogCaptureFixture
) -> None:
    here_connection, there_connection = [await connect(own_member, UNHURRIED_SECONDS) for _ in range(2)]
    here, there = HazelcastBus(here_connection, SEAL, RealClock()), HazelcastBus(there_connection, SEAL, RealClock())
    got_here: list[bytes] = []
    got_there: list[bytes] = []
    losses_there: list[str] = []
    await here.subscribe("user/1", got_here.append)
    await there.subscribe("user/1", got_there.append, lambda: losses_there.append("loss"))
    await here.publish("user/1", b"before")
    await eventually(lambda: got_there == [b"before"], "the first message arrives")

    own_member.kill()
    sent = [b"%d" % number for number in range(100)]
    for message in sent:
        await here.publish("user/1", message)
        await asyncio.sleep(0.005)
    assert got_here == [b"before", *sent]
    assert got_there == [b"before"]
    await eventually(lambda: not here_connection.connected, "the loss is noticed")

    await asyncio.to_thread(own_member.start)
    await eventually(lambda: here_connection.connected and there_connection.connected, "both connect again")
    await eventually(lambda: losses_there, "the loss is reported")
    await here.publish("user/1", b"after")
    await eventually(lambda: got_there[-1] == b"after", "messages arrive again")
    assert got_there == [b"before", b"after"]
    assert got_here == [b"before", *sent, b"after"]
    await here.close()
    await there.close()
    ours = [record for record in caplog.records if record.name.startswith("infra")]
    assert [record.message for record in ours if record.exc_info] == []


async def test_no_operation_of_the_cache_raises_while_the_member_dies_and_comes_back(
    connect: Connect, own_member: Member
) -> None:
    connection = await connect(own_member)
    cache = HazelcastCache(connection, RealClock(), SEAL)
    key = uuid4().hex
    await cache.put(CacheSpace.LOGIN_SESSIONS, key, b"user", 600)
    own_member.kill()
    for _ in range(50):
        assert await cache.get(CacheSpace.LOGIN_SESSIONS, key) is None
        await cache.put(CacheSpace.DEPTH, key, b"book", 60)
        await cache.delete(CacheSpace.LOGIN_SESSIONS, key)
        await asyncio.sleep(0.01)
    assert [await cache.increment(key, 60) for _ in range(3)] == [1, 2, 3], "counters count on this node alone"
    await asyncio.to_thread(own_member.start)
    await eventually(lambda: connection.connected, "the client connects again")

    async def put_and_get() -> bytes | None:
        await cache.put(CacheSpace.LOGIN_SESSIONS, key, b"user", 600)
        return await cache.get(CacheSpace.LOGIN_SESSIONS, key)

    await read_until(put_and_get, lambda got: got == b"user", "the member is used again")
    await cache.close()


async def test_a_frozen_member_keeps_nobody_waiting_for_long_and_is_used_again_when_it_thaws(
    connect: Connect, own_member: Member
) -> None:
    connection, other_connection = await connect(own_member), await connect(own_member)
    bus, other = HazelcastBus(connection, SEAL, RealClock()), HazelcastBus(other_connection, SEAL, RealClock())
    cache = HazelcastCache(connection, RealClock(), SEAL)
    got: list[bytes] = []
    got_there: list[bytes] = []
    losses_there: list[str] = []
    await bus.subscribe("user/1", got.append)
    await other.subscribe("user/1", got_there.append, lambda: losses_there.append("loss"))
    own_member.freeze()
    # Waiting for the member each time would take its time-out each time: 1 s.
    async with asyncio.timeout(25):
        for number in range(50):
            await bus.publish("user/1", b"%d" % number)
    assert len(got) == 50
    async with asyncio.timeout(50):
        for _ in range(100):
            await cache.get(CacheSpace.LOGIN_SESSIONS, "token")
    async with asyncio.timeout(PATIENCE_SECONDS):
        await bus.subscribe("user/2", got.append)
    # Long enough for the heartbeat to end the connection, and for attempts to authenticate at a silent member.
    await eventually(lambda: not other_connection.connected, "the silence is noticed")
    own_member.thaw()
    await eventually(lambda: connection.connected and other_connection.connected, "both connect again")
    await eventually(lambda: losses_there, "the loss is reported")
    got_there.clear()

    async def publish() -> list[bytes]:
        await bus.publish("user/1", b"after")
        return got_there

    # The first ones may be lost: one slow answer is enough to go on without the member again, for a while.
    await read_until(publish, bool, "messages arrive again")
    assert set(got_there) == {b"after"}
    await bus.close()
    await other.close()


async def test_a_node_that_could_not_send_notifies_the_others_of_the_loss(connect: Connect, member: Member) -> None:
    here_connection = await connect(member, UNHURRIED_SECONDS)
    here, there = (
        HazelcastBus(here_connection, SEAL, RealClock()),
        HazelcastBus(await connect(member, UNHURRIED_SECONDS), SEAL, RealClock()),
    )
    got: list[bytes] = []
    losses: list[str] = []
    await there.subscribe("user/1", got.append, lambda: losses.append("loss"))
    session = await here_connection.session()
    for connection in list(session.client._connection_manager.active_connections.values()):
        connection._proto._transport.abort()
    await here.publish("user/1", b"lost")
    await eventually(lambda: losses, "the other node is notified, though its own connection never broke")
    await here.publish("user/1", b"after")
    await eventually(lambda: b"after" in got, "messages arrive again")
    await here.close()
    await there.close()


async def test_a_node_starts_and_works_alone_where_no_member_is() -> None:
    options = HazelcastOptions([f"127.0.0.1:{free_port()}"])
    before = asyncio.all_tasks()
    connection = HazelcastConnection(options, RealClock())
    async with asyncio.timeout(PATIENCE_SECONDS):  # There will be no cluster: waiting for it takes for ever.
        await connection.start()
        bus, cache = HazelcastBus(connection, SEAL, RealClock()), HazelcastCache(connection, RealClock(), SEAL)
        got: list[bytes] = []
        await bus.subscribe("user/1", got.append)
        await bus.publish("user/1", b"alone")
        assert got == [b"alone"]
        assert await cache.get(CacheSpace.DEPTH, "book") is None
        assert await cache.increment("key", 60) == 1
    await asyncio.sleep(0.7)  # a failed attempt to connect or two
    await bus.close()
    await connection.close()
    await eventually(lambda: asyncio.all_tasks() <= before, f"all tasks end: {asyncio.all_tasks() - before}")


async def test_a_listener_from_before_the_cluster_came_up_gets_messages_after_a_loss(
    connect: Connect, own_member: Member
) -> None:
    own_member.kill()
    options = HazelcastOptions([own_member.address], own_member.cluster_name, UNHURRIED_SECONDS)
    early_connection = HazelcastConnection(options, RealClock())
    await early_connection.start()
    early = HazelcastBus(early_connection, SEAL, RealClock())
    got: list[bytes] = []
    losses: list[str] = []
    await early.subscribe("user/1", got.append, lambda: losses.append("loss"))
    await asyncio.to_thread(own_member.start)
    await eventually(lambda: losses, "the loss is reported when listening starts")
    late = HazelcastBus(await connect(own_member, UNHURRIED_SECONDS), SEAL, RealClock())
    await late.publish("user/1", b"hello")
    await eventually(lambda: got == [b"hello"], "the message arrives")
    await early.close()
    await late.close()
    await early_connection.close()


async def test_closing_while_the_member_is_frozen_ends_at_once_and_leaves_nothing(own_member: Member) -> None:
    before = asyncio.all_tasks()
    options = HazelcastOptions([own_member.address], own_member.cluster_name)
    own_member.freeze()
    connection = HazelcastConnection(options, RealClock())
    await connection.start()
    await asyncio.sleep(0.3)  # it is connected by now and waits to be let in
    async with asyncio.timeout(PATIENCE_SECONDS):  # The member stays frozen: waiting for it takes for ever.
        await connection.close()
    await eventually(lambda: asyncio.all_tasks() <= before, f"all tasks end: {asyncio.all_tasks() - before}")


async def test_a_member_that_accepts_nobody_is_logged_once_and_used_as_soon_as_it_does(
    own_member: Member, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients: list[HazelcastClient] = []

    def make_client(**options: object) -> HazelcastClient:
        clients.append(HazelcastClient(**options))
        return clients[-1]

    monkeypatch.setattr("infra.hazelcast.client.HazelcastClient", make_client)
    before = asyncio.all_tasks()
    own_member.freeze()
    address, name = own_member.address, own_member.cluster_name
    options = HazelcastOptions([address], name, start_timeout_seconds=0.3, retry_seconds=0.05)
    connection = HazelcastConnection(options, RealClock())
    await connection.start()
    await eventually(lambda: len(clients) > 3, "several clients are discarded")
    assert not connection.connected
    connection.options = replace(options, start_timeout_seconds=PATIENCE_SECONDS)
    own_member.thaw()
    await eventually(lambda: connection.connected, "it connects")
    await connection.close()
    await eventually(lambda: asyncio.all_tasks() <= before, f"all tasks end: {asyncio.all_tasks() - before}")
    warnings = [record.message for record in caplog.records if record.levelno >= logging.WARNING]
    assert warnings == [f"no member of a Hazelcast cluster named {name} lets us in at {address}; trying on"]


async def test_a_cluster_of_another_name_is_not_joined_and_logged_without_a_traceback(
    member: Member, caplog: pytest.LogCaptureFixture
) -> None:
    options = HazelcastOptions([member.address], "another-cluster", start_timeout_seconds=0.3)
    connection = HazelcastConnection(options, RealClock())
    await connection.start()
    await eventually(lambda: "named another-cluster lets us in" in caplog.text, "the absence is logged")
    assert not connection.connected
    await connection.close()
    ours = [record for record in caplog.records if record.name.startswith("infra")]
    assert [record.message for record in ours if record.exc_info] == []


def metric(node: HazelcastBus, name: str, **labels: str) -> float | None:
    registry = CollectorRegistry()
    HazelcastMetrics(registry, node)
    return registry.get_sample_value(f"r3edge_hazelcast_{name}", labels)


async def test_what_a_member_that_dies_and_comes_back_costs_is_counted(connect: Connect, own_member: Member) -> None:
    connection = await connect(own_member)
    bus, cache = HazelcastBus(connection, SEAL, RealClock()), HazelcastCache(connection, RealClock(), SEAL)
    await bus.subscribe("user/1", lambda _message: None)
    await eventually(lambda: metric(bus, "losses_total", reason="listening"), "one lane is listened to")
    await eventually(lambda: metric(bus, "known_members") == 1, "the member is known")
    assert metric(bus, "connected_members") == 1
    registrations, connections = metric(bus, "registrations_total"), metric(bus, "connections_total")

    own_member.kill()
    await eventually(lambda: metric(bus, "connected_members") == 0, "the loss is noticed")
    skipped, away = metric(bus, "operations_total", outcome="skipped"), metric(bus, "away_seconds_total")
    assert skipped is not None
    assert away is not None
    assert await cache.get(CacheSpace.DEPTH, "book") is None
    assert metric(bus, "operations_total", outcome="skipped") == skipped + 1
    await eventually(lambda: (metric(bus, "away_seconds_total") or 0) > away, "the time goes on")

    await asyncio.to_thread(own_member.start)
    await eventually(lambda: metric(bus, "registrations_total") != registrations, "the lane is listened to again")
    assert metric(bus, "connections_total") != connections
    await bus.close()


async def test_an_operation_that_fails_is_counted_and_begins_the_time_without(connect: Connect, member: Member) -> None:
    connection = await connect(member, UNHURRIED_SECONDS)
    bus = HazelcastBus(connection, SEAL, RealClock())

    async def fail(_client: HazelcastClient) -> bool:
        raise OSError("broken pipe")

    before = metric(bus, "away_seconds_total")
    assert not await connection.call(fail, otherwise=False)
    assert metric(bus, "operations_total", outcome="failed") == 1
    await eventually(lambda: metric(bus, "away_seconds_total") != before, "the node goes without")
    await bus.close()


def test_a_node_without_a_cluster_has_no_samples() -> None:
    registry = CollectorRegistry()
    HazelcastMetrics(registry, EmbeddedBus())
    assert [sample for metric in registry.collect() for sample in metric.samples] == []
