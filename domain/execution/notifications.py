"""Wakes those who wait inside this process: an account's executor, and whoever waits for an order to move."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

from domain.model.orders import Order
from domain.ports.bus import MessageBus, commands_topic

Listener = Callable[[UUID | None], None]
"""Called with the id of the order that there is something to do about; None where it may be any."""


class OrderNotifier:
    """Saves a wait, and nothing hangs on it: executors also poll, and waiters also read."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus
        self._listeners: dict[UUID, Listener] = {}
        self._waiters: dict[UUID, list[asyncio.Future[Order]]] = {}

    async def answer(self, account_id: UUID, listener: Listener) -> Callable[[], Awaitable[None]]:
        """Call `listener` when the account's bell is rung, on any node, until the returned function is called."""
        subscription = await self._bus.subscribe(
            commands_topic(account_id), lambda message: listener(_order_id(message)), lambda: listener(None)
        )
        self._listeners[account_id] = listener

        async def stop() -> None:
            if self._listeners.get(account_id) is listener:
                del self._listeners[account_id]
            await subscription.close()

        return stop

    async def ring(self, account_id: UUID, order_id: UUID | None = None) -> None:
        """Wake the account's executor: here by a plain call, and on other nodes by the bus."""
        listener = self._listeners.get(account_id)
        if listener is not None:
            listener(order_id)
        else:
            await self._bus.publish(commands_topic(account_id), b"" if order_id is None else order_id.bytes)

    def tell(self, order: Order) -> None:
        """Hand a committed order to all that wait for it on this node."""
        for waiter in self._waiters.pop(order.id, ()):
            if not waiter.done():
                waiter.set_result(order)

    async def next_change(self, order_id: UUID, seconds: float) -> Order | None:
        """Return the order after its next change made on this node; None where there is none within the time."""
        waiter: asyncio.Future[Order] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(order_id, []).append(waiter)
        try:
            async with asyncio.timeout(seconds):
                return await waiter
        except TimeoutError:
            return None
        finally:
            self._forget(order_id, waiter)

    def _forget(self, order_id: UUID, waiter: "asyncio.Future[Order]") -> None:
        waiters = self._waiters.get(order_id, [])
        if waiter in waiters:
            waiters.remove(waiter)
        if not waiters:
            self._waiters.pop(order_id, None)


def _order_id(message: bytes) -> UUID | None:
    try:
        return UUID(bytes=message) if message else None
    except ValueError:
        return None
