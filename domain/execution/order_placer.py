"""Places orders of users on the node that trades their account: stored and decided about in one commit.

An order that can't be sent at once, for whatever reason, is not placed here: it is stored as PENDING then, like every
other, and the executor decides about it.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from domain.core.errors import Unavailable
from domain.execution.account_context import AccountContext, Decision
from domain.execution.order_steps import NewOrder
from domain.model.orders import Order, OrderType
from domain.model.trading import Account
from domain.ports.idempotency import KeyReservation
from domain.ports.leases import StaleLease

_log = logging.getLogger(__name__)

MOST_TOGETHER = 16
"""How many orders share a commit at most, so that a cancel or an exit doesn't wait for long."""

Start = Callable[[Coroutine[Any, Any, None], str], "asyncio.Task[None]"]
"""Runs a coroutine in the background of the executor."""


@dataclass(eq=False, slots=True)
class _Placing:
    """An order that is to be placed, and what becomes of it: placed, or None if nothing is stored."""

    new: NewOrder
    outcome: "asyncio.Future[Order | None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())

    def end(self, order: Order | None) -> None:
        if not self.outcome.done():
            self.outcome.set_result(order)

    def fail(self, error: Unavailable) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(error)
            self.outcome.exception()  # The caller may have gone, which is nothing to report.


class OrderPlacer:
    """The way from `orderPlace` to an account's executor that doesn't wait for a turn.

    Orders that come while a commit is under way share the next one. `room` tells how many new orders the executor would
    send now, 0 while another waits for its turn; `send` has it send one, and `enqueue` has it ask the venue about an
    order of which it isn't known whether it is stored.
    """

    def __init__(
        self,
        context: AccountContext,
        decide: Decision,
        start: Start,
        room: Callable[[], int],
        send: Callable[[Order], None],
        enqueue: Callable[[UUID], None],
    ) -> None:
        self._context = context
        self._decide = decide
        self._start = start
        self._room = room
        self._send = send
        self._enqueue = enqueue
        self._waiting: list[_Placing] = []
        self._under_way: list[_Placing] = []
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"OrderPlacer({self._context!r}, waiting={len(self._waiting)})"

    @property
    def account(self) -> Account:
        """The account as it was when its executor was started."""
        return self._context.account

    @property
    def reconciled(self) -> bool:
        """Whether the account agrees with its venue, so that new orders are sent."""
        return self._context.reconciled

    @property
    def refusal(self) -> str | None:
        """Why the venue rejects all requests of the account; None while it answers."""
        return self._context.refusal

    def newest(self, order: Order) -> Order:
        """Return an order that was placed here as it was last committed."""
        return self._context.order_cache.get(order.client_order_id) or order

    async def place(self, order: Order, reservation: KeyReservation) -> Order | None:
        """Store the order as SUBMITTED, with its key, and have it sent; return it, or None if nothing is stored.

        Raises `Unavailable` if it isn't known whether it is stored. The caller's end doesn't end what was begun.
        """
        if order.type is OrderType.TRAILING_STOP:
            return None
        self._context.order_ages.restart(order.id)
        placing = _Placing(NewOrder(order, reservation))
        self._waiting.append(placing)
        if self._task is None:
            self._task = self._start(self._place_waiting(), f"placing:{self.account.id}")
            self._task.add_done_callback(self._on_end)
        return await placing.outcome

    def _on_end(self, task: "asyncio.Task[None]") -> None:
        """Fail what is left if the executor has stopped, which may be before the task has begun."""
        if self._task is not task:
            return
        self._task = None
        for placing in (*self._under_way, *self._waiting):
            placing.fail(Unavailable("The account's executor has just stopped."))
        self._under_way, self._waiting = [], []

    async def _place_waiting(self) -> None:
        while self._waiting:
            room = min(self._room(), MOST_TOGETHER)
            self._under_way, self._waiting = self._waiting[: max(room, 1)], self._waiting[max(room, 1) :]
            if room > 0:
                await self._place_together(self._under_way)
            for placing in self._under_way:
                placing.end(None)
        self._under_way, self._task = [], None

    async def _place_together(self, placings: Sequence[_Placing]) -> None:
        """Place orders by one commit; if what they counted on has changed, each alone."""
        orders = {placing.new.order.id for placing in placings}
        self._context.in_flight |= orders
        placed: Mapping[UUID, Order] | None = {}
        try:
            placed = await self._context.place([placing.new for placing in placings], self._decide)
        except Unavailable as error:
            for placing in placings:
                self._enqueue(placing.new.order.id)
                placing.fail(error)
        except StaleLease:
            pass  # The node that trades the account now decides about them.
        except Exception as error:  # noqa: BLE001  # whatever it is, the executor meets it again, and reports it
            _log.warning("orders %s can't be placed at once: %r", sorted(map(str, orders)), error)
        finally:
            self._context.in_flight -= orders - set(placed or ())
        if placed is None and len(placings) > 1:
            for placing in placings:
                await self._place_together([placing])
            return
        for placing in placings:
            order = (placed or {}).get(placing.new.order.id)
            if order is not None:
                self._send(order)
            placing.end(order)
