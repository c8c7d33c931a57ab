"""What clients share (the event loop, the database, rooms), and how much of it one of them may have at once."""

import asyncio
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Final

from domain.core.errors import FaultCode, RateLimited, RequestFault
from domain.core.fair_queue import FairQueue, QueueFull
from infra.web.settings import WebSettings

RETRY_AFTER_SECONDS: Final = 1

_PAUSE_FROM_SECONDS: Final = 0.002
"""Shorter pauses are not worth a timer."""

_QUERIES_AT_ONCE: Final = 1_000
_MUTATIONS_AT_ONCE: Final = 10_000
_WAITING_IN_ALL: Final = 20_000


class LoopShare:
    """Lets costly synchronous work run one piece at a time, each client in turn, for half of the time at most.

    Between two pieces everything else that is ready on the loop runs: orders, leases, sockets. Without this, a thousand
    pieces that become ready at once would keep all of that waiting until the last of them is done.
    """

    def __init__(self, monotonic: Callable[[], float] = time.perf_counter) -> None:
        self._queue = FairQueue(1, waiting_per_client=sys.maxsize, waiting_in_all=sys.maxsize)
        self._monotonic = monotonic
        self._debt = 0.0
        self._ended = monotonic()

    @asynccontextmanager
    async def turn(self, client: str, *, patiently: bool = False) -> AsyncIterator[None]:
        """Wait for a turn and hold it inside the block, in which nothing should be awaited.

        Raises RATE_LIMITED where very many of the client's wait already; never for who waits patiently, whose number is
        bounded elsewhere.
        """
        if not patiently and self._queue.waiting_of(client) >= _WAITING_IN_ALL:
            raise RateLimited("Too many of your operations wait already", RETRY_AFTER_SECONDS)
        await self._queue.acquire(client)
        began = self._monotonic()
        self._debt = max(0.0, self._debt - (began - self._ended))
        try:
            yield
        finally:
            self._ended = self._monotonic()
            self._debt += self._ended - began
            pause = self._debt if self._debt >= _PAUSE_FROM_SECONDS else 0.0
            asyncio.get_running_loop().call_later(pause, self._queue.release, client)


class FairUse:
    """The queues and counts of one web server, by client: a user, or the address of a stranger."""

    def __init__(self, settings: WebSettings) -> None:
        self._settings = settings
        self.loop = LoopShare()
        self._queries = FairQueue(
            _QUERIES_AT_ONCE,
            per_client=settings.queries_at_once_per_client,
            waiting_per_client=settings.waiting_operations_per_client,
            waiting_in_all=_WAITING_IN_ALL,
        )
        self._heavy = FairQueue(
            settings.heavy_queries_at_once,
            per_client=max(settings.heavy_queries_at_once // 2, 1),
            waiting_per_client=settings.waiting_operations_per_client,
            waiting_in_all=_WAITING_IN_ALL,
        )
        at_once = settings.queries_at_once_per_client
        self._events = _patient_queue(_QUERIES_AT_ONCE, at_once)
        self._heavy_events = _patient_queue(settings.heavy_queries_at_once, max(settings.heavy_queries_at_once // 2, 1))
        self._mutations = FairQueue(
            _MUTATIONS_AT_ONCE,
            per_client=settings.mutations_at_once_per_client,
            waiting_per_client=settings.waiting_operations_per_client,
            waiting_in_all=_WAITING_IN_ALL,
        )
        self._subscriptions: Counter[str] = Counter()

    @asynccontextmanager
    async def query(self, client: str, cost: int) -> AsyncIterator[None]:
        """Wait until the client may run one more query; raises RATE_LIMITED where it has too many waiting."""
        async with _turn(self._heavy if cost > self._settings.heavy_cost else self._queries, client):
            yield

    @asynccontextmanager
    async def event(self, client: str, cost: int) -> AsyncIterator[None]:
        """Wait, for however long, until one more event of the client's streams may be completed.

        A stream must not end because others wait too. How many wait is bounded by the subscriptions: each waits for one
        event at a time.
        """
        async with (self._heavy_events if cost > self._settings.heavy_cost else self._events).turn(client):
            yield

    async def begin_mutation(self, client: str) -> None:
        """Wait until the client may run one more mutation; raises RATE_LIMITED where it has too many waiting."""
        await _acquire(self._mutations, client)

    def end_mutation(self, client: str) -> None:
        """Give back the turn of a mutation that has ended."""
        self._mutations.release(client)

    @contextmanager
    def subscription(self, client: str, *, is_stranger: bool) -> Iterator[None]:
        """Count a subscription inside the block; raises RATE_LIMITED where the client has too many."""
        settings = self._settings
        most = settings.max_subscriptions_per_stranger if is_stranger else settings.max_subscriptions_per_user
        if self._subscriptions[client] >= most:
            raise RequestFault(FaultCode.RATE_LIMITED, f"You may have at most {most:,} subscriptions at once.")
        self._subscriptions[client] += 1
        try:
            yield
        finally:
            self._subscriptions[client] -= 1
            if not self._subscriptions[client]:
                del self._subscriptions[client]


@asynccontextmanager
async def _turn(queue: FairQueue, client: str) -> AsyncIterator[None]:
    await _acquire(queue, client)
    try:
        yield
    finally:
        queue.release(client)


async def _acquire(queue: FairQueue, client: str) -> None:
    try:
        await queue.acquire(client)
    except QueueFull:
        raise RateLimited("Too many of your operations wait already", RETRY_AFTER_SECONDS) from None


def _patient_queue(turns: int, per_client: int) -> FairQueue:
    return FairQueue(turns, per_client=per_client, waiting_per_client=sys.maxsize, waiting_in_all=sys.maxsize)
