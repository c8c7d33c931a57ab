"""What an attacker can do who reaches the members and doesn't have the engine's secret key."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from domain.core.clock import to_milliseconds
from domain.model.users import ALL_SCOPES, Identity, UserRole
from domain.ports.cache import CacheSpace
from domain.ports.unit_of_work import Database
from domain.users.authentication import Authenticator, _cache_key, _CachedIdentity, _encode
from domain.users.tokens import credential_hash
from infra.embedded.bus import EmbeddedBus
from infra.hazelcast.bus import MAX_AGE_SECONDS, HazelcastBus
from infra.hazelcast.cache import HazelcastCache
from infra.hazelcast.frames import Frame, seal_context, shard_for
from infra.hazelcast.seal import Seal
from tests.integration.cache_bus.conftest import UNHURRIED_SECONDS, Connect, RealClock
from tests.support.clocks import ManualClock
from tests.support.hazelcast import SEAL, Member
from tests.support.trading import new_user
from tests.support.waiting import eventually

SPACE = CacheSpace.LOGIN_SESSIONS
MAP = f"r3edge-{SPACE.value}"
TOKEN = "r3s_" + "a" * 43
FOREIGN_SEAL = Seal(b"another key of thirty-two bytes.")


def identity_of(role: UserRole = UserRole.USER) -> Identity:
    in_an_hour = datetime.now(UTC) + timedelta(hours=1)
    return Identity(replace(new_user(), role=role), uuid4(), ALL_SCOPES, in_an_hour, is_login_session=True)


def packed(identity: Identity) -> bytes:
    return _encode(_CachedIdentity(datetime.now(UTC).timestamp() + 60, identity))


def cache_key(token: str) -> str:
    return _cache_key(credential_hash(token))


@pytest.mark.parametrize("mark", [b"", b"\0" * 24, FOREIGN_SEAL.seal(b"\x7f" * 8, MAP)[:24]])
async def test_an_identity_that_no_node_wrote_is_a_strangers(
    connect: Connect, member: Member, database: Database, mark: bytes
) -> None:
    connection = await connect(member, UNHURRIED_SECONDS)
    cache = HazelcastCache(connection, RealClock(), SEAL)
    forger = await (await connect(member, UNHURRIED_SECONDS)).session()
    entries = await forger.client.get_map(MAP)
    identity = identity_of(UserRole.OPERATOR)
    await entries.set(cache_key(TOKEN), bytearray(mark + packed(identity)), 60)
    await entries.set(f"id:{identity.credential_id}", bytearray(mark + b"1"), 60)
    authenticator = Authenticator(database, cache, EmbeddedBus(), RealClock())
    assert await authenticator.identify(TOKEN) is None


async def test_a_nodes_own_entry_is_believed_in_its_place_and_in_no_other(
    connect: Connect, member: Member, database: Database
) -> None:
    connection = await connect(member, UNHURRIED_SECONDS)
    cache = HazelcastCache(connection, RealClock(), SEAL)
    identity, own_hash = identity_of(), cache_key(TOKEN)
    await cache.put(SPACE, own_hash, packed(identity), 60)
    await cache.put(SPACE, f"id:{identity.credential_id}", b"1", 60)
    authenticator = Authenticator(database, cache, EmbeddedBus(), RealClock())
    assert await authenticator.identify(TOKEN) == identity

    entries = await (await connection.session()).client.get_map(MAP)
    other = TOKEN[:-1] + "b"
    await entries.set(cache_key(other), await entries.get(own_hash), 60)
    assert await authenticator.identify(other) is None


async def test_an_entry_that_is_put_back_after_its_time_is_not_there(connect: Connect, member: Member) -> None:
    connection = await connect(member, UNHURRIED_SECONDS)
    clock = ManualClock()
    cache = HazelcastCache(connection, clock, SEAL)
    entries = await (await connection.session()).client.get_map(MAP)
    await cache.put(SPACE, "kept", b"value", 600)
    kept = await entries.get("kept")
    clock.move(599.9)
    assert await cache.get(SPACE, "kept") == b"value"
    clock.move(0.2)
    await entries.set("kept", kept, 3_600)
    assert await cache.get(SPACE, "kept") is None


@pytest.mark.parametrize("forged", [5, "text", [1, 2]])
async def test_anything_in_the_place_of_a_value_is_no_value(connect: Connect, member: Member, forged: object) -> None:
    connection = await connect(member, UNHURRIED_SECONDS)
    cache = HazelcastCache(connection, RealClock(), SEAL)
    client = (await connection.session()).client
    await (await client.get_map(MAP)).set("any", forged, 60)
    assert await cache.get(SPACE, "any") is None
    counters = await client.get_map("r3edge-counters")
    await counters.set("forged", "window", 60)
    await counters.set("forged/window", "many", 60)
    assert [await cache.increment("forged", 60) for _ in range(2)] == [1, 2]


async def test_messages_that_no_node_sealed_or_that_were_received_before_are_dropped(
    connect: Connect, member: Member, caplog: pytest.LogCaptureFixture
) -> None:
    connection = await connect(member, UNHURRIED_SECONDS)
    here, there = (
        HazelcastBus(connection, SEAL, RealClock()),
        HazelcastBus(await connect(member, UNHURRIED_SECONDS), SEAL, RealClock()),
    )
    foreign = HazelcastBus(await connect(member, UNHURRIED_SECONDS), FOREIGN_SEAL, RealClock())
    got: list[bytes] = []
    await there.subscribe("user/1", got.append)
    shard, now = shard_for("user/1"), to_milliseconds(RealClock().now())
    topic = await (await connection.session()).client.get_reliable_topic(shard)
    whole = Frame(bytes(16), "user/1", b"forged", number=1, sent_ms=now).encode()
    again = SEAL.seal(Frame(b"s" * 16, "user/1", b"once", number=7, sent_ms=now).encode(), seal_context(shard))
    elsewhere = SEAL.seal(Frame(b"t" * 16, "user/1", b"moved", number=1, sent_ms=now).encode(), "another shard")
    cut = SEAL.seal(b"?", seal_context(shard))
    for data in (b"?", whole, bytes(16) + whole, again, again, elsewhere, cut):
        await topic.publish(bytearray(data))
    await foreign.publish("user/1", b"foreign")
    await eventually(lambda: there.rejected["forged"] == 6, "what no node sealed is rejected")
    await foreign.close()
    await here.publish("user/1", b"last")
    await eventually(lambda: b"last" in got, "the last message arrives")
    assert got == [b"once", b"last"]
    assert "R3EDGE_SECRET_KEY" in caplog.text
    assert there.rejected == {"forged": 6, "old": 0, "repeated": 1}
    await here.close()
    await there.close()


@pytest.mark.parametrize("age", [MAX_AGE_SECONDS + 5, 3_600.0, -MAX_AGE_SECONDS - 5])
async def test_frames_of_a_node_that_is_dead_are_not_believed_when_they_are_played_again_later(
    connect: Connect, member: Member, caplog: pytest.LogCaptureFixture, age: float
) -> None:
    recorded, clock = [], ManualClock()
    dead = HazelcastBus(await connect(member, UNHURRIED_SECONDS), SEAL, clock)
    connection = await connect(member, UNHURRIED_SECONDS)
    shard = shard_for("user/1")
    topic = await (await connection.session()).client.get_reliable_topic(shard)
    await topic.add_listener(lambda message: recorded.append(bytes(message.message)))
    for text in (b"one", b"two", b"three"):
        await dead.publish("user/1", text)
    await eventually(lambda: len(recorded) == 3, "the frames are recorded")
    await dead.close()

    clock.move(age)
    fresh = HazelcastBus(await connect(member, UNHURRIED_SECONDS), SEAL, clock)
    got: list[bytes] = []
    losses: list[None] = []
    await fresh.subscribe("user/1", got.append, lambda: losses.append(None))
    before = len(losses)
    for frame in recorded[:3]:
        await topic.publish(bytearray(frame))
    await eventually(lambda: fresh.rejected["old"] == 3, "the frames are rejected")
    assert got == []
    assert len(losses) == before + 1, "late messages are read from the database, not once a frame"
    assert caplog.text.count("it was sent more than 30 s ago or ahead") == 1
    await fresh.close()


async def test_clocks_may_differ_by_less_than_the_age_and_a_frame_counts_once(connect: Connect, member: Member) -> None:
    late, early = ManualClock(), ManualClock()
    late.move(MAX_AGE_SECONDS - 1)
    ahead = HazelcastBus(await connect(member, UNHURRIED_SECONDS), SEAL, late)
    behind = HazelcastBus(await connect(member, UNHURRIED_SECONDS), SEAL, early)
    got: list[bytes] = []
    await ahead.subscribe("user/1", got.append)
    await behind.subscribe("user/1", got.append)
    await ahead.publish("user/1", b"of the node ahead")
    await behind.publish("user/1", b"of the node behind")
    await eventually(lambda: len(got) == 4, "each has both")
    connection = await connect(member, UNHURRIED_SECONDS)
    shard = shard_for("user/1")
    topic = await (await connection.session()).client.get_reliable_topic(shard)
    frame = Frame(b"g" * 16, shard, is_loss=True, number=1, sent_ms=to_milliseconds(early.now()))
    loss = SEAL.seal(frame.encode(), seal_context(shard))
    for _ in range(3):
        await topic.publish(bytearray(loss))
    await eventually(lambda: ahead.rejected["repeated"] == behind.rejected["repeated"] == 2, "the loss counts once")
    assert len(got) == 4
    assert ahead.rejected["old"] == behind.rejected["old"] == 0
    await ahead.close()
    await behind.close()
