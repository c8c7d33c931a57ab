"""The streams that a subscription's resolver returns: shared by a room, or resumable after an interruption.

A room executes a selection once for each event of one shared stream and sends the result to all its subscribers. The
stream decides what a late subscriber and a slow one receive. All its methods except `__anext__` and `aclose` are
synchronous and fast: they run between two events.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, Self, TypeVar, runtime_checkable

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)


@runtime_checkable
class SharedStream(Protocol[E]):
    """An async iterator of domain events with many subscribers. It is closed when the last one has left."""

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        ...

    async def __anext__(self) -> E:
        """Return the next event."""
        ...

    async def aclose(self) -> None:
        """Release the feed. Called once, after the last `__anext__`."""
        ...

    def snapshot(self) -> E | None:
        """Return the event with which a new subscriber starts: the current state. None if there is none yet."""
        ...

    def snapshots(self) -> Sequence[E]:
        """Return all events with which a new subscriber starts: usually the snapshot, or none."""
        ...

    @property
    def width(self) -> int:
        """The greatest number of events in `snapshots`. A subscriber's queue has room for more than these."""
        ...

    def covers(self, snapshot: E, event: E) -> bool:
        """Return whether `snapshot` contains everything in `event`, so that the event need not follow it."""
        ...

    def overflow(self, queued: Sequence[E]) -> Sequence[E] | None:
        """Return fewer events to send instead of those that a slow subscriber has in its queue.

        None means: drop all of them, and send the snapshot of the moment at which the subscriber is ready again. If the
        result isn't shorter, the subscription ends with SLOW_READER.
        """
        ...


@runtime_checkable
class ResumableStream(Protocol[E_co]):
    """A private stream whose events have a place in a log, from which a new subscription can continue."""

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        ...

    async def __anext__(self) -> E_co:
        """Return the next event."""
        ...

    async def aclose(self) -> None:
        """Release what the stream holds."""
        ...

    @property
    def cursor(self) -> str | None:
        """The place after the last event that was returned; before the first, the place at which the stream started."""
        ...


class AsyncEvents(Protocol[E_co]):
    """The events of which a stream is made: anything like an async generator."""

    async def __anext__(self) -> E_co:
        """Return the next event."""
        ...

    async def aclose(self) -> None:
        """Release what it holds."""
        ...


class _BaseStream(Generic[E]):
    """The iterator's half of a shared stream, with `snapshot` and `covers` given as functions."""

    def __init__(
        self,
        events: AsyncEvents[E],
        snapshot: Callable[[], E | None] = lambda: None,
        covers: Callable[[E, E], bool] = lambda snapshot, event: snapshot == event,
    ) -> None:
        self._events = events
        self._snapshot = snapshot
        self._covers = covers

    def __aiter__(self) -> Self:
        """Return the stream itself."""
        return self

    async def __anext__(self) -> E:
        """Return the next event."""
        return await self._events.__anext__()

    async def aclose(self) -> None:
        """Close the underlying iterator."""
        await self._events.aclose()

    def snapshot(self) -> E | None:
        """Return the current state, if there is one."""
        return self._snapshot()

    def snapshots(self) -> Sequence[E]:
        """Return the current state as one event, if there is one."""
        state = self.snapshot()
        return () if state is None else (state,)

    @property
    def width(self) -> int:
        """The current state is one event."""
        return 1

    def covers(self, snapshot: E, event: E) -> bool:
        """Return whether the snapshot contains the event."""
        return self._covers(snapshot, event)


class LatestPerKeyStream(_BaseStream[E]):
    """A stream of the states of several things, such as the tickers of many markets: only the newest of each counts.

    A new subscriber starts with the newest event for each key. The queue of a slow one keeps the newest event for each
    key, in the order in which the keys first appeared in it.
    """

    def __init__(self, events: AsyncEvents[E], key_of: Callable[[E], Hashable], width: int) -> None:
        super().__init__(events)
        self._key_of = key_of
        self._width = width
        self._newest: dict[Hashable, E] = {}

    async def __anext__(self) -> E:
        """Return the next event and remember it."""
        event = await super().__anext__()
        self._newest[self._key_of(event)] = event
        return event

    def snapshots(self) -> Sequence[E]:
        """Return the newest event for each key."""
        return tuple(self._newest.values())

    @property
    def width(self) -> int:
        """The number of keys."""
        return self._width

    def overflow(self, queued: Sequence[E]) -> Sequence[E]:
        """Keep the newest event for each key."""
        return tuple({self._key_of(event): event for event in queued}.values())


class LatestStream(_BaseStream[E]):
    """A stream in which every event is the whole state, such as a ticker: only the newest counts.

    A new subscriber starts with the newest event, or before the first one with `snapshot`.
    """

    _newest: E | None = None

    async def __anext__(self) -> E:
        """Return the next event and remember it."""
        self._newest = await super().__anext__()
        return self._newest

    def snapshot(self) -> E | None:
        """Return the newest event."""
        return self._newest if self._newest is not None else super().snapshot()

    def overflow(self, queued: Sequence[E]) -> Sequence[E]:
        """Keep the newest event."""
        return queued[-1:]


class DeltaStream(_BaseStream[E]):
    """A stream of changes that build on each other: if one is lost, the rest is useless."""

    def overflow(self, queued: Sequence[E]) -> None:
        """Drop all events. The next snapshot starts a new chain."""


class MergingStream(_BaseStream[E]):
    """A stream whose events can be merged, such as trades (counting the dropped ones) or a forming candle."""

    def __init__(
        self,
        events: AsyncEvents[E],
        merge: Callable[[Sequence[E]], Sequence[E]],
        snapshot: Callable[[], E | None] = lambda: None,
        covers: Callable[[E, E], bool] = lambda snapshot, event: snapshot == event,
    ) -> None:
        super().__init__(events, snapshot, covers)
        self._merge = merge

    def overflow(self, queued: Sequence[E]) -> Sequence[E]:
        """Return the merged events."""
        return self._merge(queued)
