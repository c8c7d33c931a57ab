"""Shares the event loop, the database and rooms among clients: queues and limits for each client."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Final

from domain.core.errors import FaultCode, RateLimited, RequestFault
from domain.core.fair_queue import FairQueue, QueueFull
from domain.model.plans import Plan
from infra.web.settings import WebSettings

RETRY_AFTER_SECONDS: Final = 1

_PAUSE_FROM_SECONDS: Final = 0.002
"""Shorter pauses aren't worth a timer."""

_COMPRESSIONS_AT_ONCE: Final = 2
"""Of large answers, in threads: more would take the processor from the event loop."""

_MAX_RUNNING_QUERIES: Final = 1_000
_MAX_RUNNING_MUTATIONS: Final = 10_000
_MAX_WAITING: Final = 20_000


class LoopShare:
    """Runs costly synchronous work one piece at a time, each client in turn, for half of the time at most.

    Between two pieces everything else that is ready on the loop runs: orders, leases, sockets. Otherwise a thousand
    pieces that become ready at once would delay all of that until the last of them is done.
    """

    def __init__(self, monotonic: Callable[[], float] = time.perf_counter, max_waiting: int = _MAX_WAITING) -> None:
        self._queue = FairQueue(1, waiting_per_client=sys.maxsize, waiting_in_all=sys.maxsize)
        self._monotonic = monotonic
        self._max_waiting = max_waiting
        self._debt = 0.0
        self._ended = monotonic()

    @property
    def waiting(self) -> int:
        """How many pieces wait for their turn."""
        return self._queue.waiting

    @asynccontextmanager
    async def turn(self, client: str, *, unbounded: bool = False) -> AsyncIterator[None]:
        """Wait for a turn and hold it inside the block, in which nothing should be awaited.

        Raises RATE_LIMITED if too many of the client's pieces wait already; never if `unbounded`, for callers whose
        number is bounded elsewhere.
        """
        if not unbounded and self._queue.waiting_count(client) >= self._max_waiting:
            raise RateLimited("Too many of your operations wait already", RETRY_AFTER_SECONDS)
        await self._queue.acquire(client)
        started = self._monotonic()
        self._debt = max(0.0, self._debt - (started - self._ended))
        try:
            yield
        finally:
            self._ended = self._monotonic()
            self._debt += self._ended - started
            pause = self._debt if self._debt >= _PAUSE_FROM_SECONDS else 0.0
            asyncio.get_running_loop().call_later(pause, self._queue.release, client)


class FairUse:
    """The queues and counts of one web server, by client: a user, or the network of an anonymous client."""

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self.loop = LoopShare()
        self.queries = FairQueue(
            _MAX_RUNNING_QUERIES,
            per_client=settings.queries_at_once_per_client,
            waiting_per_client=settings.waiting_operations_per_client,
            waiting_in_all=_MAX_WAITING,
        )
        self.heavy_queries = FairQueue(
            settings.heavy_queries_at_once,
            per_client=max(settings.heavy_queries_at_once // 2, 1),
            waiting_per_client=settings.waiting_operations_per_client,
            waiting_in_all=_MAX_WAITING,
        )
        self.events = _unbounded_queue(_MAX_RUNNING_QUERIES, settings.queries_at_once_per_client)
        self.heavy_events = _unbounded_queue(
            settings.heavy_queries_at_once, max(settings.heavy_queries_at_once // 2, 1)
        )
        self.compressions = _unbounded_queue(_COMPRESSIONS_AT_ONCE, 1)
        self.mutations = FairQueue(
            _MAX_RUNNING_MUTATIONS,
            per_client=settings.mutations_at_once_per_client,
            waiting_per_client=settings.waiting_operations_per_client,
            waiting_in_all=_MAX_WAITING,
        )
        self.subscriptions: Counter[str] = Counter()

    def query(self, client: str, cost: int) -> "Turn":
        """Return what waits until the client may run one more query; raises RATE_LIMITED if too many of them wait."""
        return Turn(self.heavy_queries if cost > self._settings.heavy_cost else self.queries, client)

    @asynccontextmanager
    async def event(self, client: str, cost: int) -> AsyncIterator[None]:
        """Wait, for however long, until one more event of the client's streams may be completed.

        A stream must not end because others wait too. The number of waiting events is bounded by the number of
        subscriptions: each waits for one event at a time.
        """
        async with (self.heavy_events if cost > self._settings.heavy_cost else self.events).turn(client):
            yield

    def compression(self, client: str) -> "Turn":
        """Return what waits, for however long, until one more large answer to the client may be compressed."""
        return Turn(self.compressions, client)

    async def begin_mutation(self, client: str) -> None:
        """Wait until the client may run one more mutation; raises RATE_LIMITED if too many of its mutations wait."""
        await _acquire(self.mutations, client)

    def end_mutation(self, client: str) -> None:
        """Release the turn of a mutation that has ended."""
        self.mutations.release(client)

    @contextmanager
    def subscription(self, client: str, plan: Plan | None) -> Iterator[None]:
        """Count a subscription inside the block; raises RATE_LIMITED if the client has too many.

        `plan` is the user's; None for an anonymous client.
        """
        used = self.subscriptions[client]
        if used >= (self._settings.max_subscriptions_per_anonymous if plan is None else plan.max_subscriptions):
            raise too_many_subscriptions(plan, used)
        self.subscriptions[client] += 1
        try:
            yield
        finally:
            self.subscriptions[client] -= 1
            if not self.subscriptions[client]:
                del self.subscriptions[client]


def too_many_subscriptions(plan: Plan | None, used: int) -> RequestFault:
    """Return the fault of a client who has as many subscriptions as are allowed."""
    if plan is None:
        message = f"You may have at most {used:,} subscriptions at once without a token; end one, or sign in."
        return RequestFault(FaultCode.RATE_LIMITED, message)
    message = (
        f"Your plan {plan.name} allows {plan.max_subscriptions:,} subscriptions at once; you have {used:,}. End one "
        "first; the operator of this engine can give you another plan."
    )
    figures: dict[str, str | int | float] = {"limit": plan.max_subscriptions, "used": used, "plan": plan.name}
    return RequestFault(FaultCode.RATE_LIMITED, message, {"entitlement": "SUBSCRIPTIONS", **figures})


class Turn(AbstractAsyncContextManager[None]):
    """Waits for a client's turn, and holds it inside the block."""

    __slots__ = ("_client", "_queue")

    def __init__(self, queue: FairQueue, client: str) -> None:
        self._queue = queue
        self._client = client

    async def __aenter__(self) -> None:
        await _acquire(self._queue, self._client)

    async def __aexit__(self, *_error: object) -> None:
        self._queue.release(self._client)


async def _acquire(queue: FairQueue, client: str) -> None:
    try:
        await queue.acquire(client)
    except QueueFull:
        raise RateLimited("Too many of your operations wait already", RETRY_AFTER_SECONDS) from None


def _unbounded_queue(turns: int, per_client: int) -> FairQueue:
    return FairQueue(turns, per_client=per_client, waiting_per_client=sys.maxsize, waiting_in_all=sys.maxsize)
