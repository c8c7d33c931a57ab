"""What a subscription's resolver returns to be shared by a room, or to be resumed after an interruption.

A room executes a selection once per event of one shared source and sends the result to all of its
members. The source decides what a late joiner and a slow reader get. All of its methods but `__anext__` and `aclose`
are synchronous and quick: they run between two events.
"""

from collections.abc import Callable, Hashable, Sequence
from typing import Generic, Protocol, Self, TypeVar, runtime_checkable

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)


@runtime_checkable
class SharedSource(Protocol[E]):
    """An async iterator of domain events that many may follow at once; it ends when the last follower has left."""

    def __aiter__(self) -> Self:
        """Return the source itself."""
        ...

    async def __anext__(self) -> E:
        """Return the next event."""
        ...

    async def aclose(self) -> None:
        """Let go of the feed; called once, after the last `__anext__`."""
        ...

    def snapshot(self) -> E | None:
        """Return the event that tells the present state to one who knows nothing; None where there is none (yet)."""
        ...

    def snapshots(self) -> Sequence[E]:
        """Return all events that it takes to tell the present state: as a rule the snapshot, or nothing."""
        ...

    @property
    def width(self) -> int:
        """How many events it may take to tell the present state; a reader's queue has room for more than these."""
        ...

    def covers(self, snapshot: E, event: E) -> bool:
        """Tell whether `snapshot` holds all that `event` says, so that the event need not follow it."""
        ...

    def overflow(self, queued: Sequence[E]) -> Sequence[E] | None:
        """Return what to send in the place of the events that a reader was too slow to take, fewer than they are.

        None means: all of them are void, send the snapshot of the moment in which the reader is ready again. A reader
        whose events can't be made fewer is cut off with SLOW_READER.
        """
        ...


@runtime_checkable
class ResumableSource(Protocol[E_co]):
    """A private stream whose events have a place in a log, at which a new subscription can go on."""

    def __aiter__(self) -> Self:
        """Return the source itself."""
        ...

    async def __anext__(self) -> E_co:
        """Return the next event."""
        ...

    async def aclose(self) -> None:
        """Let go of what the stream holds."""
        ...

    @property
    def cursor(self) -> str | None:
        """The place after the last event that was given out; before the first, where the stream began."""
        ...


class Events(Protocol[E_co]):
    """What a source is made of: anything like an async generator."""

    async def __anext__(self) -> E_co:
        """Return the next event."""
        ...

    async def aclose(self) -> None:
        """Let go of what it holds."""
        ...


class _Source(Generic[E]):
    """The iterator's half of a shared source, and a snapshot and its coverage by functions."""

    def __init__(
        self,
        events: Events[E],
        snapshot: Callable[[], E | None] = lambda: None,
        covers: Callable[[E, E], bool] = lambda snapshot, event: snapshot == event,
    ) -> None:
        self._events = events
        self._snapshot = snapshot
        self._covers = covers

    def __aiter__(self) -> Self:
        """Return the source itself."""
        return self

    async def __anext__(self) -> E:
        """Return the next event."""
        return await self._events.__anext__()

    async def aclose(self) -> None:
        """Close the underlying iterator."""
        await self._events.aclose()

    def snapshot(self) -> E | None:
        """Return the present state, if there is one."""
        return self._snapshot()

    def snapshots(self) -> Sequence[E]:
        """Return the present state in one event, if there is one."""
        state = self.snapshot()
        return () if state is None else (state,)

    @property
    def width(self) -> int:
        """One event tells the present state."""
        return 1

    def covers(self, snapshot: E, event: E) -> bool:
        """Tell whether the snapshot holds what the event says."""
        return self._covers(snapshot, event)


class LatestOfEachSource(_Source[E]):
    """A stream of the states of several things, such as the tickers of many markets: the newest of each counts.

    A joiner gets the newest of each. A slow reader's queue keeps one event of each, in the line of their first coming.
    """

    def __init__(self, events: Events[E], key_of: Callable[[E], Hashable], width: int) -> None:
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
        """Return the newest event of each thing."""
        return tuple(self._newest.values())

    @property
    def width(self) -> int:
        """How many things there are."""
        return self._width

    def overflow(self, queued: Sequence[E]) -> Sequence[E]:
        """Keep the newest of each."""
        return tuple({self._key_of(event): event for event in queued}.values())


class LatestStream(_Source[E]):
    """A stream in which every event tells the whole state, such as a ticker: only the newest counts.

    A joiner gets the newest event, or before the first one what `snapshot` knows.
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
        """Keep the newest."""
        return queued[-1:]


class DeltaStream(_Source[E]):
    """A stream of changes that build on each other, such as depth: one that is lost makes the rest void."""

    def overflow(self, queued: Sequence[E]) -> None:
        """Drop all; the next snapshot begins a new chain."""


class MergingStream(_Source[E]):
    """A stream whose events can be merged, such as trades (counting the dropped) or a forming candle."""

    def __init__(
        self,
        events: Events[E],
        merge: Callable[[Sequence[E]], Sequence[E]],
        snapshot: Callable[[], E | None] = lambda: None,
        covers: Callable[[E, E], bool] = lambda snapshot, event: snapshot == event,
    ) -> None:
        super().__init__(events, snapshot, covers)
        self._merge = merge

    def overflow(self, queued: Sequence[E]) -> Sequence[E]:
        """Return the merged events."""
        return self._merge(queued)


class ResumableStream(Generic[E]):
    """Makes a `ResumableSource` of an iterator of events and a function that writes the cursor after an event."""

    def __init__(self, events: Events[E], cursor_of: Callable[[E], str], start: str | None = None) -> None:
        self._events = events
        self._cursor_of = cursor_of
        self._cursor = start

    @property
    def cursor(self) -> str | None:
        """The place after the last event that was given out; `start` before there was one."""
        return self._cursor

    def __aiter__(self) -> Self:
        """Return the source itself."""
        return self

    async def __anext__(self) -> E:
        """Return the next event."""
        event = await self._events.__anext__()
        self._cursor = self._cursor_of(event)
        return event

    async def aclose(self) -> None:
        """Close the underlying iterator."""
        await self._events.aclose()
