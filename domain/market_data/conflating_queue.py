"""Conflating queues for one reader each: bounded, so that a slow reader delays nobody else."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, Protocol, TypeVar

from domain.model.markets import Candle, Depth, FeedStatus

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)
K = TypeVar("K")


class Sink(Protocol[T_contra]):
    """Anything that items for a reader can be put into."""

    def put(self, item: T_contra, /) -> None:
        """Add an item."""
        ...


class ConflatingQueue(Generic[T]):
    """Items for one reader, oldest first. A new item replaces the last one if `replaces(last, new)` is true.

    If there are more than `limit` items, the oldest is dropped and counted in `dropped`.
    """

    def __init__(self, replaces: Callable[[T, T], bool], limit: int | None = None) -> None:
        self._replaces = replaces
        self._limit = limit
        self._items: deque[T] = deque()
        self._filled = asyncio.Event()
        self.dropped = 0

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def put(self, item: T) -> None:
        """Add an item."""
        if self._items and self._replaces(self._items[-1], item):
            self._items[-1] = item
        else:
            self._items.append(item)
        if self._limit is not None and len(self._items) > self._limit:
            self._items.popleft()
            self.dropped += 1
        self._filled.set()

    async def get(self) -> T:
        """Remove and return the oldest item; wait for one if there is none."""
        while not self._items:
            self._filled.clear()
            await self._filled.wait()
        return self._items.popleft()


class LatestByKey(Generic[K, T]):
    """The latest item of each key for one reader; a key keeps its place in the queue, so that none waits for ever."""

    def __init__(self, key_of: Callable[[T], K]) -> None:
        self._key_of = key_of
        self._items: dict[K, T] = {}
        self._filled = asyncio.Event()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, item: T) -> None:
        """Add an item, or replace the one of the same key."""
        self._items[self._key_of(item)] = item
        self._filled.set()

    async def get(self) -> T:
        """Remove and return the latest item of the key that has waited longest."""
        while not self._items:
            self._filled.clear()
            await self._filled.wait()
        return self._items.pop(next(iter(self._items)))


def keep_latest(_last: object, _new: object) -> bool:
    """Keep only the latest item."""
    return True


def keep_all(_last: object, _new: object) -> bool:
    """Keep every item."""
    return False


def latest_per_type(last: Depth | FeedStatus, new: Depth | FeedStatus) -> bool:
    """Keep the latest book and the latest status, in the order in which they came."""
    return type(last) is type(new)


def latest_until_closed(last: Candle, _new: Candle) -> bool:
    """Let a newer candle replace a forming one, never a closed one."""
    return not last.closed
