"""What both buses promise to the listeners of the publisher's own node, the embedded one and Hazelcast's."""

import asyncio
import logging

import pytest

from domain.ports.bus import MessageBus


async def test_every_listener_of_the_topic_gets_the_message_once(bus: MessageBus) -> None:
    first: list[bytes] = []
    other: list[bytes] = []
    await bus.subscribe("user/1", first.append)
    await bus.subscribe("user/1", other.append)
    await bus.publish("user/1", b"hello")
    assert first == other == [b"hello"]


async def test_a_message_reaches_no_other_topic(bus: MessageBus) -> None:
    got: list[bytes] = []
    await bus.subscribe("user/1", got.append)
    await bus.publish("user/11", b"not for you")
    await bus.publish("user/", b"nor this")
    assert got == []


async def test_a_topic_without_listeners_takes_messages(bus: MessageBus) -> None:
    await bus.publish("nobody/listens", b"into the void")


async def test_messages_come_in_the_order_of_their_publisher(bus: MessageBus) -> None:
    got: list[bytes] = []
    await bus.subscribe("depth", got.append)
    sent = [b"%d" % number for number in range(500)]
    for message in sent:
        await bus.publish("depth", message)
    assert got == sent


async def test_a_closed_listener_gets_nothing_more(bus: MessageBus) -> None:
    got: list[bytes] = []
    subscription = await bus.subscribe("user/1", got.append)
    await bus.publish("user/1", b"before")
    await subscription.close()
    await bus.publish("user/1", b"after")
    assert got == [b"before"]


async def test_closing_a_listener_twice_harms_nobody(bus: MessageBus) -> None:
    got: list[bytes] = []
    subscription = await bus.subscribe("user/1", [].append)
    await bus.subscribe("user/1", got.append)
    await subscription.close()
    await subscription.close()
    await bus.publish("user/1", b"still here")
    assert got == [b"still here"]


async def test_a_listener_that_raises_keeps_nobody_from_the_message_and_is_logged_once(
    bus: MessageBus, caplog: pytest.LogCaptureFixture
) -> None:
    got: list[bytes] = []

    def broken(message: bytes) -> None:
        raise RuntimeError("broken on purpose")

    await bus.subscribe("user/1", broken)
    await bus.subscribe("user/1", got.append)
    with caplog.at_level(logging.ERROR, logger="infra.embedded.bus"):
        await bus.publish("user/1", b"one")
        await bus.publish("user/1", b"two")
    assert got == [b"one", b"two"]
    assert [record.message for record in caplog.records] == ["a listener of the topic user/1 raises"]


async def test_a_listener_may_subscribe_and_close_while_it_is_called(bus: MessageBus) -> None:
    got: list[bytes] = []
    tasks: list[asyncio.Task[None]] = []

    async def replace() -> None:
        await first.close()
        await bus.subscribe("user/1", got.append)

    first = await bus.subscribe("user/1", lambda _: tasks.append(asyncio.ensure_future(replace())))
    await bus.publish("user/1", b"one")
    await asyncio.gather(*tasks)
    await bus.publish("user/1", b"two")
    assert got == [b"two"]
    assert len(tasks) == 1


async def test_a_closed_bus_calls_no_listener(bus: MessageBus) -> None:
    got: list[bytes] = []
    subscription = await bus.subscribe("user/1", got.append)
    await bus.close()
    await subscription.close()
    assert got == []
