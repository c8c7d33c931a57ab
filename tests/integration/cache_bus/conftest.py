import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime

import pytest

from domain.ports.bus import MessageBus
from domain.ports.cache import Cache
from infra.embedded.bus import EmbeddedBus
from infra.embedded.cache import EmbeddedCache
from infra.hazelcast.bus import HazelcastBus
from infra.hazelcast.cache import HazelcastCache
from infra.hazelcast.client import HazelcastConnection
from infra.hazelcast.options import HazelcastOptions
from tests.support.hazelcast import SEAL, Member
from tests.support.waiting import eventually

Connect = Callable[..., Awaitable[HazelcastConnection]]
UNHURRIED_SECONDS = 30.0
"""How long an operation may take at a member that nothing happens to, on however slow a machine."""


class RealClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


@pytest.fixture(scope="session")
def member(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    """One member for all tests that don't harm it."""
    member = Member(tmp_path_factory.mktemp("hazelcast"))
    member.start()
    yield member
    member.kill()


@pytest.fixture
def own_member(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    """A member that the test may kill and freeze."""
    member = Member(tmp_path_factory.mktemp("hazelcast"))
    member.start()
    yield member
    member.kill()


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Connect to a member as one more node; all are closed at the end, which must leave no task behind."""
    before = asyncio.all_tasks()
    connections: list[HazelcastConnection] = []

    async def make(member: Member, timeout_seconds: float = 1.0) -> HazelcastConnection:
        heartbeat = 2 * timeout_seconds
        options = HazelcastOptions(
            [member.address],
            member.cluster_name,
            timeout_seconds,
            heartbeat_timeout_seconds=heartbeat,
            retry_seconds=0.1,
        )
        connection = HazelcastConnection(options, RealClock())
        connections.append(connection)
        await connection.start()
        await eventually(lambda: connection.connected, "the client connects")
        return connection

    yield make
    for connection in connections:
        await connection.close()
    mine = {*before, asyncio.current_task()}
    await eventually(lambda: asyncio.all_tasks() <= mine, f"all tasks end: {asyncio.all_tasks() - mine}")


@pytest.fixture(params=["embedded", "hazelcast"])
async def cache(request: pytest.FixtureRequest, connect: Connect) -> AsyncIterator[Cache]:
    if request.param == "embedded":
        cache: Cache = EmbeddedCache(RealClock())
    else:
        connection = await connect(request.getfixturevalue("member"), UNHURRIED_SECONDS)
        cache = HazelcastCache(connection, RealClock(), SEAL)
    yield cache
    await cache.close()


@pytest.fixture(params=["embedded", "hazelcast"])
async def bus(request: pytest.FixtureRequest, connect: Connect) -> AsyncIterator[MessageBus]:
    if request.param == "embedded":
        bus: MessageBus = EmbeddedBus()
    else:
        connection = await connect(request.getfixturevalue("member"), UNHURRIED_SECONDS)
        bus = HazelcastBus(connection, SEAL, RealClock())
    yield bus
    await bus.close()
