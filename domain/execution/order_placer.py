"""Places orders of users on the node that trades their account: stored and decided about in one commit.

An order that can't be sent at once, for whatever reason, is not placed here: it is stored as PENDING then, like every
other, and the executor decides about it.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

from domain.core.errors import Unavailable
from domain.execution.account_context import AccountContext, Decision
from domain.execution.decision_waits import Lacking
from domain.model.orders import Order, OrderType
from domain.model.trading import Account
from domain.ports.idempotency import KeyReservation
from domain.ports.leases import StaleLease

_log = logging.getLogger(__name__)

Start = Callable[[Coroutine[Any, Any, Order | None], str], "asyncio.Task[Order | None]"]
"""Runs a coroutine in the background of the executor."""


class OrderPlacer:
    """The way from `orderPlace` to an account's executor that doesn't wait for a turn.

    `may_place` tells whether the executor sends new orders now and no other waits for its turn, `send` has it send one,
    and `enqueue` has it ask the venue about an order of which it isn't known whether it is stored.
    """

    def __init__(
        self,
        context: AccountContext,
        decide: Decision,
        start: Start,
        may_place: Callable[[], bool],
        send: Callable[[Order], None],
        enqueue: Callable[[UUID], None],
    ) -> None:
        self._context = context
        self._decide = decide
        self._start = start
        self._may_place = may_place
        self._send = send
        self._enqueue = enqueue
        self._turn = asyncio.Lock()

    def __repr__(self) -> str:
        return f"OrderPlacer({self._context!r})"

    @property
    def account(self) -> Account:
        """The account as it was when its executor was started."""
        return self._context.account

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
        task = self._start(self._place_in_turn(order, reservation), f"placing:{order.id}")
        task.add_done_callback(_take_error)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise Unavailable("The account's executor has just stopped.") from None
            raise

    async def _place_in_turn(self, order: Order, reservation: KeyReservation) -> Order | None:
        """Place one order at a time, so that a cancel or an exit waits for one of them at most."""
        async with self._turn:
            if not self._may_place():
                return None
            try:
                return await self._place(order, reservation)
            except Unavailable:
                raise
            except Exception as error:  # noqa: BLE001  # whatever it is, the executor meets it again, and reports it
                _log.warning("order %s can't be placed at once: %r", order.id, error)
                return None

    async def _place(self, order: Order, reservation: KeyReservation) -> Order | None:
        self._context.in_flight.add(order.id)
        placed: Order | None = None
        try:
            placed = await self._context.place(order, reservation, self._decide)
        except Unavailable:
            self._enqueue(order.id)
            raise
        except (Lacking, StaleLease):
            return None
        finally:
            if placed is None:
                self._context.in_flight.discard(order.id)
        if placed is not None:
            self._send(placed)
        return placed


def _take_error(task: "asyncio.Task[Order | None]") -> None:
    """Take the error of a placing whose caller has gone, so that asyncio doesn't report it."""
    if not task.cancelled():
        task.exception()
