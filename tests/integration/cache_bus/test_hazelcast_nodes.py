"""What two nodes exchange through one Hazelcast cluster."""

import asyncio
from uuid import uuid4

import pytest

from domain.ports.cache import CacheSpace
from domain.users.request_rates import RequestLimit, RequestRateExceeded, RequestRates
from infra.hazelcast import shards
from infra.hazelcast.bus import HazelcastBus
from infra.hazelcast.cache import HazelcastCache
from infra.hazelcast.frames import shard_for
from tests.integration.cache_bus.conftest import UNHURRIED_SECONDS, Connect, RealClock
from tests.support.clocks import ManualClock
from tests.support.hazelcast import SEAL, Member
from tests.support.waiting import eventually


async def two_buses(connect: Connect, member: Member) -> tuple[HazelcastBus, HazelcastBus]:
    return HazelcastBus(await connect(member, UNHURRIED_SECONDS), SEAL, RealClock()), HazelcastBus(
        await connect(member, UNHURRIED_SECONDS), SEAL, RealClock()
    )


async def two_caches(connect: Connect, member: Member) -> tuple[HazelcastCache, HazelcastCache]:
    return HazelcastCache(await connect(member, UNHURRIED_SECONDS), RealClock(), SEAL), HazelcastCache(
        await connect(member, UNHURRIED_SECONDS), RealClock(), SEAL
    )


async def one_of_two_clocks(connect: Connect, member: Member) -> tuple[HazelcastCache, HazelcastCache, ManualClock]:
    """Return two caches, and the clock that the second one keeps things near by."""
    clock = ManualClock()
    return (
        HazelcastCache(await connect(member, UNHURRIED_SECONDS), RealClock(), SEAL),
        HazelcastCache(await connect(member, UNHURRIED_SECONDS), clock, SEAL),
        clock,
    )


async def test_a_message_reaches_the_listeners_of_the_other_node_once_and_in_order(
    connect: Connect, member: Member
) -> None:
    here, there = await two_buses(connect, member)
    got_here: list[bytes] = []
    got_there: list[bytes] = []
    await here.subscribe("depth/BTC", got_here.append)
    await there.subscribe("depth/BTC", got_there.append)
    sent = [b"%d\xff" % number for number in range(1_000)]
    for message in sent:
        await here.publish("depth/BTC", message)
    assert got_here == sent
    await eventually(lambda: len(got_there) >= len(sent), "all messages arrive")
    assert got_there == sent
    await here.close()
    await there.close()


async def test_own_messages_do_not_come_back_a_second_time(connect: Connect, member: Member) -> None:
    here, there = await two_buses(connect, member)
    got_here: list[bytes] = []
    got_there: list[bytes] = []
    await here.subscribe("market/1", got_here.append)
    await there.subscribe("market/1", got_there.append)
    sent = [b"%d" % number for number in range(50)]
    for message in sent:
        await here.publish("market/1", message)
    await eventually(lambda: got_there == sent, "the cluster has all messages")
    # It comes to both nodes after all of them.
    await there.publish("market/1", b"last")
    await eventually(lambda: b"last" in got_here, "what came back has been read")
    assert got_here == [*sent, b"last"]
    await here.close()
    await there.close()


async def test_the_first_message_after_subscribing_is_not_missed(connect: Connect, member: Member) -> None:
    here, there = await two_buses(connect, member)
    for number in range(20):
        topic = f"user/{number}"
        got: list[bytes] = []
        await there.subscribe(topic, got.append)
        await here.publish(topic, b"first")
        await eventually(lambda got=got: got == [b"first"], f"the first message on {topic}")
    await here.close()
    await there.close()


async def test_topics_that_share_a_shard_are_kept_apart(connect: Connect, member: Member) -> None:
    shard = shard_for("user/0")
    first, other = [topic for topic in (f"user/{number}" for number in range(100)) if shard_for(topic) == shard][:2]
    here, there = await two_buses(connect, member)
    got: list[bytes] = []
    await there.subscribe(other, got.append)
    await here.publish(first, b"not for you")
    await here.publish(other, b"for you")
    await eventually(lambda: got, "the message arrives")
    assert got == [b"for you"]
    await here.close()
    await there.close()


async def test_no_loss_is_reported_if_nothing_was_lost(connect: Connect, member: Member) -> None:
    here, there = await two_buses(connect, member)
    losses: list[str] = []
    got: list[bytes] = []
    await there.subscribe("user/1", got.append, lambda: losses.append("loss"))
    await here.publish("user/1", b"hello")
    await eventually(lambda: got, "the message arrives")
    assert losses == []
    await here.close()
    await there.close()


async def test_messages_that_vanish_in_the_cluster_are_reported_with_the_next_one(
    connect: Connect, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = await two_buses(connect, member)
    losses: list[str] = []
    got: list[bytes] = []
    await there.subscribe("user/1", got.append, lambda: losses.append("loss"))
    await here.publish("user/1", b"1")
    await eventually(lambda: got == [b"1"], "the first message arrives")
    with monkeypatch.context() as split:  # as the smaller part of a split cluster does: it takes what nobody else gets
        split.setattr(shards.ShardWriter, "send", lambda _writer, _frame: None)
        await here.publish("user/1", b"2")
    await here.publish("user/1", b"3")
    await here.publish("user/1", b"4")
    await eventually(lambda: got == [b"1", b"3", b"4"], "the later messages arrive")
    assert losses == ["loss"]
    await here.close()
    await there.close()


async def test_closing_sends_what_was_published(
    connect: Connect, member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_FLUSH_SECONDS", UNHURRIED_SECONDS)
    here, there = await two_buses(connect, member)
    got: list[bytes] = []
    await there.subscribe("user/1", got.append)
    await here.publish("user/1", b"last words")
    await here.close()
    await eventually(lambda: got == [b"last words"], "the last message arrives")
    await there.close()


async def test_a_login_session_deleted_on_one_node_is_gone_at_once_on_the_other(
    connect: Connect, member: Member
) -> None:
    here, there = await two_caches(connect, member)
    for _ in range(20):
        token = uuid4().hex
        await here.put(CacheSpace.LOGIN_SESSIONS, token, b"user", 60)
        assert await there.get(CacheSpace.LOGIN_SESSIONS, token) == b"user"
        await here.delete(CacheSpace.LOGIN_SESSIONS, token)
        assert await there.get(CacheSpace.LOGIN_SESSIONS, token) is None


@pytest.mark.parametrize("space", [CacheSpace.DEPTH, CacheSpace.TICKER])
async def test_hot_data_read_near_is_at_most_a_quarter_of_a_second_old(
    connect: Connect, member: Member, space: CacheSpace
) -> None:
    here, there, clock = await one_of_two_clocks(connect, member)
    key = uuid4().hex
    await here.put(space, key, b"old", 60)
    assert await there.get(space, key) == b"old"
    await here.put(space, key, b"new", 60)
    clock.move(0.24)
    assert await there.get(space, key) == b"old", "nothing is kept near"
    clock.move(0.02)
    assert await there.get(space, key) == b"new", "the near cache kept the old value too long"


async def test_hot_data_is_read_near_without_asking_the_cluster(connect: Connect, member: Member) -> None:
    here, there, _ = await one_of_two_clocks(connect, member)
    key = uuid4().hex
    await here.put(CacheSpace.DEPTH, key, b"book", 60)
    assert await there.get(CacheSpace.DEPTH, key) == b"book"
    await here.delete(CacheSpace.DEPTH, key)
    assert await there.get(CacheSpace.DEPTH, key) == b"book", "nothing is kept near"


async def test_two_nodes_count_together(connect: Connect, member: Member) -> None:
    here, there = await two_caches(connect, member)
    key = uuid4().hex
    sums = await asyncio.gather(*(node.increment(key, 60) for node in (here, there) for _ in range(20)))
    assert sorted(sums) == list(range(1, 41))


async def test_two_nodes_accept_no_more_requests_together_than_one_alone(connect: Connect, member: Member) -> None:
    clock = ManualClock()
    nodes = [RequestRates(cache, clock) for cache in await two_caches(connect, member)]
    limit = RequestLimit(f"user:{uuid4()}", 30, "The plan allows 30")
    outcomes = await asyncio.gather(*(node.take(limit) for node in nodes for _ in range(40)), return_exceptions=True)
    assert sum(isinstance(outcome, RequestRateExceeded) for outcome in outcomes) == 50
    assert [rate.used for node in nodes if (rate := node.rate(limit))] == [30, 30]
