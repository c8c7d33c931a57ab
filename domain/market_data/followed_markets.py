"""The markets that this node follows, and the requests that keep their feeds running."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager

from domain.core.clock import Clock
from domain.market_data.history_versions import Series
from domain.market_data.market_state import MarketState
from domain.market_data.timings import HubTimings
from domain.market_data.topics import FEED_DEMAND
from domain.model.markets import Depth, MarketSymbol
from domain.ports.bus import MessageBus


class FollowedMarkets:
    """Keeps the state of each market while somebody follows it, and for `linger_seconds` after.

    The collectors are requested to run the feeds of followed markets, and again until nobody follows them.
    """

    def __init__(
        self,
        bus: MessageBus,
        clock: Clock,
        timings: HubTimings,
        on_depth: Callable[[Depth], None],
        on_stored: Callable[[Iterable[Series]], None],
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._timings = timings
        self._on_depth = on_depth
        self._on_stored = on_stored
        self._states: dict[MarketSymbol, MarketState] = {}
        self._opening: dict[MarketSymbol, asyncio.Lock] = {}
        self._requested_at = clock.monotonic()

    @property
    def states(self) -> Collection[MarketState]:
        """The states of all markets that this node listens to."""
        return self._states.values()

    def get(self, market: MarketSymbol) -> MarketState | None:
        """Return the market's state; None if this node doesn't listen to it."""
        return self._states.get(market)

    @asynccontextmanager
    async def follow(self, market: MarketSymbol) -> AsyncIterator[MarketState]:
        """Listen to the market, and keep its feed running, inside the block."""
        state = await self._open(market)
        state.subscriber_count += 1
        try:
            if state.subscriber_count == 1:
                await self._request(market)
            yield state
        finally:
            state.subscriber_count -= 1
            state.idle_since = self._clock.monotonic()

    async def maintain(self) -> None:
        """Request the feeds again if it is time, expire silent ones, and close the markets that nobody follows."""
        now = self._clock.monotonic()
        if now - self._requested_at >= self._timings.request_every:
            self._requested_at = now
            for state in tuple(self._states.values()):
                if state.subscriber_count:
                    await self._request(state.market)
        for market, state in tuple(self._states.items()):
            state.expire()
            if not state.subscriber_count and now - state.idle_since > self._timings.linger_seconds:
                del self._states[market]
                await state.close()

    async def close(self) -> None:
        """Stop listening; streams end with their readers."""
        states, self._states = self._states, {}
        for state in states.values():
            await state.close()

    async def _open(self, market: MarketSymbol) -> MarketState:
        async with self._opening.setdefault(market, asyncio.Lock()):
            state = self._states.get(market)
            if state is None:
                state = MarketState(market, self._bus, self._clock, self._timings)
                state.on_depth = self._on_depth
                state.on_stored = self._on_stored
                await state.open()
                self._states[market] = state
            return state

    async def _request(self, market: MarketSymbol) -> None:
        await self._bus.publish(FEED_DEMAND, str(market).encode())
