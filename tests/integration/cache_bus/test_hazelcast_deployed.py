"""The member's configuration that operators are given, run for real."""

from pathlib import Path

import pytest

from domain.ports.cache import CacheSpace
from infra.hazelcast.bus import HazelcastBus
from infra.hazelcast.cache import HazelcastCache
from infra.hazelcast.frames import SHARDS
from tests.integration.cache_bus.conftest import UNHURRIED_SECONDS, Connect, RealClock
from tests.support.hazelcast import SEAL, Member
from tests.support.waiting import eventually

DEPLOYED = Path(__file__).parents[3] / "deploy" / "hazelcast.xml"


def deployed() -> str:
    """Return the configuration without what a test must not share: the port, and the addresses to listen on."""
    config = DEPLOYED.read_text().replace(">5701<", ">{port}<").replace("${r3edge.members}", "{members}")
    interface = '<interfaces enabled="true"><interface>127.0.0.1</interface></interfaces>'
    return config.replace("</network>", f"{interface}</network>")


async def test_the_deployed_configuration_serves_two_nodes_with_its_own_shards(
    connect: Connect, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    member = Member(tmp_path, deployed(), cluster_name="r3edge")
    request.addfinalizer(member.kill)
    member.start()
    connection, other = await connect(member, UNHURRIED_SECONDS), await connect(member, UNHURRIED_SECONDS)
    here, there = HazelcastBus(connection, SEAL, RealClock()), HazelcastBus(other, SEAL, RealClock())
    cache = HazelcastCache(connection, RealClock(), SEAL)
    got: list[bytes] = []
    await there.subscribe("user/1", got.append)
    await here.publish("user/1", b"hello")
    await eventually(lambda: got == [b"hello"], "the message arrives")
    await cache.put(CacheSpace.LOGIN_SESSIONS, "token", b"user", 60)
    assert await cache.get(CacheSpace.LOGIN_SESSIONS, "token") == b"user"
    assert [await cache.increment("key", 60) for _ in range(3)] == [1, 2, 3]
    # Reached only if the names in the file are those that the engine uses.
    ringbuffer = await (await connection.session()).client.get_ringbuffer(f"_hz_rb_{SHARDS[0]}")
    assert await ringbuffer.capacity() == 2_000
    await here.close()
    await there.close()
