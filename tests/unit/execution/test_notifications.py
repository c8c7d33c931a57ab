import asyncio
from uuid import UUID

from domain.execution.notifications import OrderNotifier
from domain.ports.bus import commands_topic
from infra.embedded.bus import EmbeddedBus
from tests.support.orders import an_order

ACCOUNT, ORDER = UUID(int=3), UUID(int=1)


async def test_an_executor_on_this_node_is_woken_once_with_the_order() -> None:
    bell, heard = OrderNotifier(EmbeddedBus()), []
    stop = await bell.answer(ACCOUNT, heard.append)
    await bell.ring(ACCOUNT, ORDER)
    await bell.ring(ACCOUNT)
    await stop()
    await bell.ring(ACCOUNT, ORDER)
    assert heard == [ORDER, None]


async def test_an_executor_on_another_node_is_woken_by_the_bus() -> None:
    bus, heard = EmbeddedBus(), []
    here, there = OrderNotifier(bus), OrderNotifier(bus)
    stop = await there.answer(ACCOUNT, heard.append)
    await here.ring(ACCOUNT, ORDER)
    await bus.publish(commands_topic(ACCOUNT), b"")
    await bus.publish(commands_topic(ACCOUNT), b"not an id")
    assert heard == [ORDER, None, None]
    await stop()


async def test_everybody_who_waits_for_an_order_gets_it() -> None:
    bell = OrderNotifier(EmbeddedBus())
    waiting = [asyncio.create_task(bell.next_change(ORDER, 5)) for _ in range(3)]
    await asyncio.sleep(0)
    bell.tell(an_order())
    assert await asyncio.gather(*waiting) == [an_order()] * 3


async def test_who_waits_in_vain_gets_nothing_and_leaves_nothing() -> None:
    bell = OrderNotifier(EmbeddedBus())
    assert await bell.next_change(ORDER, 0.01) is None
    assert bell._waiters == {}
