"""Notifications about orders inside a process, and between nodes by the bus.

Only an optimisation: executors also poll, and callers also read the row again. A lost notification costs latency,
never correctness.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Protocol
from uuid import UUID

from domain.core.tracing import order_span
from domain.execution.order_counts import OrderCounts, reason_code
from domain.model.orders import Order
from domain.model.trading import Account
from domain.ports.bus import MessageBus, commands_topic
from domain.ports.idempotency import KeyReservation

CommandListener = Callable[[Order | UUID | None], None]
"""Called with an order to be sent or cancelled, or with its id; None if it may be any order of the account.

It is the order itself if it was just committed on this node, and so needn't be read.
"""


class OrderPlacer(Protocol):
    """Places orders in the executor of one account; see `domain.execution.order_placer`."""

    @property
    def account(self) -> Account:
        """The account as it was when its executor was started."""
        ...

    @property
    def reconciled(self) -> bool:
        """Whether the account agrees with its venue, so that new orders are sent."""
        ...

    @property
    def refusal(self) -> str | None:
        """Why the venue rejects all requests of the account; None while it answers."""
        ...

    def newest(self, order: Order) -> Order:
        """Return an order that was placed here as it was last committed."""
        ...

    async def place(self, order: Order, reservation: KeyReservation) -> Order | None:
        """Store the order, with its key, and send it; return it, or None if nothing is stored."""
        ...


class OrderNotifier:
    """Notifies an account's executor of commands, and callers of changes of an order."""

    def __init__(self, bus: MessageBus) -> None:
        self.counts = OrderCounts()
        self._bus = bus
        self._listeners: dict[UUID, CommandListener] = {}
        self._placers: dict[UUID, OrderPlacer] = {}
        self._waiters: dict[UUID, list[asyncio.Future[Order]]] = {}

    @property
    def waiter_count(self) -> int:
        """How many orders are waited for."""
        return len(self._waiters)

    @property
    def listening_accounts(self) -> frozenset[UUID]:
        """The accounts whose executors run on this node."""
        return frozenset(self._listeners)

    def listens_here(self, account_id: UUID) -> bool:
        """Return whether the account's executor runs on this node, so that all its changes pass `publish` here."""
        return account_id in self._listeners

    def placer_here(self, account_id: UUID) -> OrderPlacer | None:
        """Return what places orders at once if the account's executor runs on this node."""
        return self._placers.get(account_id)

    def wake_executors(self, account_ids: Iterable[UUID]) -> None:
        """Have those of the accounts' executors that run on this node load their commands."""
        for account_id in account_ids:
            listener = self._listeners.get(account_id)
            if listener is not None:
                listener(None)

    async def listen_for_commands(
        self, account_id: UUID, listener: CommandListener, placer: OrderPlacer | None = None
    ) -> Callable[[], Awaitable[None]]:
        """Call `listener` for commands from any node to the account's executor; the returned function stops that.

        Users of this node place their orders by `placer`, if there is one.
        """
        subscription = await self._bus.subscribe(
            commands_topic(account_id), lambda message: listener(_order_id(message)), lambda: listener(None)
        )
        self._listeners[account_id] = listener
        if placer is not None:
            self._placers[account_id] = placer

        async def stop() -> None:
            if self._listeners.get(account_id) is listener:
                del self._listeners[account_id]
            if placer is not None and self._placers.get(account_id) is placer:
                del self._placers[account_id]
            await subscription.close()

        return stop

    async def notify_executor(self, account_id: UUID, command: Order | UUID | None = None) -> None:
        """Notify the account's executor of a command: by a plain call if it runs here, else by the bus."""
        listener = self._listeners.get(account_id)
        if listener is not None:
            listener(command)
        else:
            order_id = command.id if isinstance(command, Order) else command
            await self._bus.publish(commands_topic(account_id), b"" if order_id is None else order_id.bytes)

    def publish(self, order: Order, before: Order | None = None) -> None:
        """Hand a committed order to all callers that wait for it on this node; `before` is as an executor knew it.

        Every change that an account's executor commits passes here, on the node that holds the account; so does the
        cancel of an order that wasn't sent yet, on the node that committed it. New orders and requested cancels are
        commands, and go by `notify_executor`.
        """
        self.counts.count(order, before)
        if before is None or before.status is not order.status:
            with order_span("order.step", order.id, status=order.status.value, reason=reason_code(order)):
                pass
        for waiter in self._waiters.pop(order.id, ()):
            if not waiter.done():
                waiter.set_result(order)

    async def wait_for_change(self, order_id: UUID, seconds: float) -> Order | None:
        """Return the order after its next change made on this node; None if there is none within the time."""
        waiter: asyncio.Future[Order] = asyncio.get_running_loop().create_future()
        self._waiters.setdefault(order_id, []).append(waiter)
        try:
            async with asyncio.timeout(seconds):
                return await waiter
        except TimeoutError:
            return None
        finally:
            self._remove_waiter(order_id, waiter)

    def _remove_waiter(self, order_id: UUID, waiter: "asyncio.Future[Order]") -> None:
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
