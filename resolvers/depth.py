"""The shared stream of `marketDepth`: one paced stream of books for all who ask for the same."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Self

from domain.core.clock import Clock
from domain.market_data.feed_limit import FeedReader
from domain.market_data.hub import MarketDataHub
from domain.model.depth_views import DepthCadence, DepthDelta, DepthLevels, DepthMode, DepthSnapshot
from domain.model.markets import Depth, FeedState, FeedStatus, MarketSymbol

DepthEvent = DepthSnapshot | DepthDelta | FeedStatus


class DepthStream:
    """A snapshot first and whenever the chain is broken; then snapshots or deltas, at most one in a cadence.

    A joiner, and a reader who was too slow, get the book that was sent last, so that the next delta chains to it; while
    that book can't be trusted, they get the state of the feed in its place.
    """

    def __init__(
        self,
        hub: MarketDataHub,
        clock: Clock,
        market: MarketSymbol,
        levels: DepthLevels,
        cadence: DepthCadence,
        mode: DepthMode,
        reader: FeedReader = FeedReader.ENGINE,
    ) -> None:
        self._clock = clock
        self._levels = levels
        self._cadence = cadence
        self._mode = mode
        self._books: AsyncIterator[Depth | FeedStatus] = hub.depth_stream(market, reader)
        self._sent: Depth | None = None
        self._broken_by: FeedStatus | None = None
        self._snapshot: DepthSnapshot | None = None
        self._due = 0.0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> DepthEvent:
        """Return the next event."""
        while True:
            update = await self._next_update()
            if isinstance(update, FeedStatus):
                self._on_status(update)
                return update
            event = self._event(update)
            if event is not None:
                self._sent, self._broken_by, self._snapshot = update, None, None
                return event

    async def aclose(self) -> None:
        """Release the feed."""
        close = getattr(self._books, "aclose", None)
        if close is not None:
            await close()

    def snapshot(self) -> DepthSnapshot | FeedStatus | None:
        """Return the book that was sent last, one object for all who ask before the next, or why there is none."""
        if self._broken_by is not None:
            return self._broken_by if self._broken_by.state is not FeedState.LIVE else None
        if self._snapshot is None and self._sent is not None:
            self._snapshot = DepthSnapshot.of(self._sent, self._levels, self._clock.now())
        return self._snapshot

    def snapshots(self) -> Sequence[DepthEvent]:
        """Return the snapshot, if there is one."""
        state = self.snapshot()
        return () if state is None else (state,)

    @property
    def width(self) -> int:
        """The current state is one event."""
        return 1

    def covers(self, snapshot: DepthEvent, event: DepthEvent) -> bool:
        """Return whether the snapshot is of the event's book or a later one, or the very same state of the feed."""
        if isinstance(snapshot, FeedStatus) or isinstance(event, FeedStatus):
            return snapshot == event
        return snapshot.epoch == event.epoch and snapshot.sequence >= event.sequence

    def overflow(self, queued: Sequence[DepthEvent]) -> Sequence[DepthEvent] | None:
        """Keep the newest book and the newest state; a broken chain of deltas starts again with a snapshot."""
        if self._mode is DepthMode.DELTAS:
            return None
        newest: dict[bool, DepthEvent] = {}
        for event in queued:
            newest[isinstance(event, FeedStatus)] = event
        return [event for event in queued if event in newest.values()][-2:]

    def _on_status(self, status: FeedStatus) -> None:
        """Break the chain if the feed isn't live. When it is live again, the chain stays broken until the next book."""
        if status.state is not FeedState.LIVE or self._broken_by is not None:
            self._broken_by = status

    async def _next_update(self) -> Depth | FeedStatus:
        wait = self._due - self._clock.monotonic()
        if wait > 0:
            # Meanwhile the hub keeps only the newest book.
            await asyncio.sleep(wait)
        update = await anext(self._books)
        self._due = self._clock.monotonic() + self._cadence.seconds
        return update

    def _event(self, book: Depth) -> DepthSnapshot | DepthDelta | None:
        sent, now = self._sent, self._clock.now()
        chains = sent is not None and sent.epoch == book.epoch and self._broken_by is None
        if sent is None or not chains:
            return DepthSnapshot.of(book, self._levels, now)
        if book.sequence <= sent.sequence:
            return None
        if self._mode is DepthMode.SNAPSHOTS:
            return DepthSnapshot.of(book, self._levels, now)
        change = DepthDelta.between(sent, book, self._levels, now)
        return change if change.bids or change.asks else None
