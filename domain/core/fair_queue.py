"""Fair access to a scarce resource: waiting clients take turns, however many requests each of them has."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class QueueFull(Exception):
    """Too many are waiting already, of this client or in all."""


class FairQueue:
    """A semaphore whose waiters are grouped by client and served round robin, the oldest of each client first.

    A client that waits for ten turns thus delays another by one turn, not ten. A client may hold at most `per_client`
    turns at once, and wait for at most `waiting_per_client`. Once `waiting_in_all` are waiting, a client that has none
    waiting displaces the newest waiter of the client that has most.
    """

    def __init__(
        self, turns: int, *, waiting_per_client: int, waiting_in_all: int, per_client: int | None = None
    ) -> None:
        self._free = turns
        self._per_client = per_client or turns
        self._waiting_per_client = waiting_per_client
        self._waiting_in_all = waiting_in_all
        self._held: Counter[str] = Counter()
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._waiting = 0

    @property
    def waiting(self) -> int:
        """How many calls wait for a turn."""
        return self._waiting

    @property
    def free(self) -> int:
        """How many turns are free."""
        return self._free

    @property
    def clients(self) -> frozenset[str]:
        """The clients that hold a turn or wait for one."""
        return frozenset(self._held) | frozenset(self._queues)

    def waiting_count(self, client: str) -> int:
        """Return how many of the client's are waiting."""
        return len(self._queues.get(client, ()))

    @asynccontextmanager
    async def turn(self, client: str) -> AsyncIterator[None]:
        """Wait for a turn and hold it for the block; raises `QueueFull`."""
        await self.acquire(client)
        try:
            yield
        finally:
            self.release(client)

    async def acquire(self, client: str) -> None:
        """Wait for a turn and hold it until `release`; raises `QueueFull`."""
        if self._free and self._held[client] < self._per_client and client not in self._queues:
            self._grant(client)
        else:
            await self._wait(client)

    def release(self, client: str) -> None:
        """Give a turn back; the next waiter gets it."""
        self._free += 1
        self._held[client] -= 1
        if not self._held[client]:
            del self._held[client]
        self._serve_next()

    def _grant(self, client: str) -> None:
        self._free -= 1
        self._held[client] += 1

    async def _wait(self, client: str) -> None:
        self._ensure_room(client)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queues.setdefault(client, deque()).append(future)
        self._waiting += 1
        try:
            await future
        except asyncio.CancelledError:
            if not future.cancelled() and future.exception() is None:
                self.release(client)  # the turn was granted at the same moment
            else:
                self._remove(client, future)
            raise

    def _ensure_room(self, client: str) -> None:
        own = self._queues.get(client)
        if own is not None and len(own) >= self._waiting_per_client:
            raise QueueFull
        if self._waiting < self._waiting_in_all:
            return
        greediest = max(self._queues, key=lambda other: len(self._queues[other]))
        if own is not None or len(self._queues[greediest]) == 1:
            raise QueueFull
        newest = self._queues[greediest][-1]
        self._remove(greediest, newest)
        newest.set_exception(QueueFull())

    def _remove(self, client: str, future: asyncio.Future[None]) -> None:
        queue = self._queues.get(client)
        if queue is None or future not in queue:
            return
        queue.remove(future)
        self._waiting -= 1
        if not queue:
            del self._queues[client]

    def _serve_next(self) -> None:
        """Grant free turns to the clients in order; a client that got one goes to the end."""
        for client in tuple(self._queues):
            if not self._free:
                return
            if self._held[client] >= self._per_client:
                continue
            future = self._pop_oldest(client)
            if client in self._queues:
                self._queues.move_to_end(client)
            if future is not None:
                self._grant(client)
                future.set_result(None)

    def _pop_oldest(self, client: str) -> asyncio.Future[None] | None:
        """Remove and return the client's oldest waiter, skipping those that were cancelled at this moment."""
        queue = self._queues[client]
        while queue:
            future = queue[0]
            self._remove(client, future)
            if not future.done():
                return future
        return None
