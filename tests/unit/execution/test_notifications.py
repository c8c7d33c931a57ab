import asyncio
from uuid import UUID

from domain.execution.notifications import OrderNotifier
from domain.ports.bus import commands_topic
from infra.embedded.bus import EmbeddedBus
from tests.support.orders import an_order

ACCOUNT, ORDER = UUID(int=3), UUID(int=1)


async def test_an_executor_on_this_node_is_woken_once_with_the_order() -> None:
    notifier, received = OrderNotifier(EmbeddedBus()), []
    stop = await notifier.listen_for_commands(ACCOUNT, received.append)
    await notifier.notify_executor(ACCOUNT, ORDER)
    await notifier.notify_executor(ACCOUNT)
    await stop()
    await notifier.notify_executor(ACCOUNT, ORDER)
    assert received == [ORDER, None]


async def test_an_executor_on_another_node_is_woken_by_the_bus() -> None:
    bus, received = EmbeddedBus(), []
    here, there = OrderNotifier(bus), OrderNotifier(bus)
    stop = await there.listen_for_commands(ACCOUNT, received.append)
    await here.notify_executor(ACCOUNT, ORDER)
    await bus.publish(commands_topic(ACCOUNT), b"")
    await bus.publish(commands_topic(ACCOUNT), b"not an id")
    assert received == [ORDER, None, None]
    await stop()


async def test_everybody_who_waits_for_an_order_gets_it() -> None:
    notifier = OrderNotifier(EmbeddedBus())
    waiting = [asyncio.create_task(notifier.wait_for_change(ORDER, 5)) for _ in range(3)]
    await asyncio.sleep(0)
    notifier.publish(an_order())
    assert await asyncio.gather(*waiting) == [an_order()] * 3


async def test_who_waits_in_vain_gets_nothing_and_leaves_nothing() -> None:
    notifier = OrderNotifier(EmbeddedBus())
    assert await notifier.wait_for_change(ORDER, 0.01) is None
    assert notifier.waiter_count == 0
