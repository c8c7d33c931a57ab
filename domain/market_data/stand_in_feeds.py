"""Feeds that a node runs for itself alone, while it hears nothing of the node that collects their markets.

A node's trading and its clients need prices also while no message reaches it. Such a feed holds no lease: what it
publishes stays on this node, and what it stores is stored once, since trades and candles have natural keys.
"""

import asyncio
import logging
from collections.abc import Callable
from collections.abc import Set as AbstractSet

from domain.core.background import cancel_and_wait
from domain.core.clock import Clock
from domain.market_data.collector import Collector
from domain.model.markets import MarketSymbol
from domain.ports.bus import MessageBus

log = logging.getLogger(__name__)


class NodePublisher:
    """Publishes to the listeners on this node alone."""

    def __init__(self, bus: MessageBus) -> None:
        self._bus = bus

    async def publish(self, topic: str, message: bytes) -> None:
        """Hand `message` to every listener on this node."""
        self._bus.publish_here(topic, message)


class StandInFeeds:
    """Runs what `collector` makes for markets that others collect, once the bus has been away for `after_seconds`."""

    def __init__(
        self, bus: MessageBus, clock: Clock, collector: Callable[[MarketSymbol], Collector], after_seconds: float
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._collector = collector
        self._after_seconds = after_seconds
        self._away_since: float | None = None
        self._running: dict[MarketSymbol, asyncio.Task[None]] = {}

    @property
    def running(self) -> frozenset[MarketSymbol]:
        """The markets that this node collects for itself alone."""
        return frozenset(self._running)

    async def manage(self, needed: AbstractSet[MarketSymbol]) -> None:
        """Run the feeds of the needed markets if the bus is away, none if it is there."""
        if not self._are_due():
            needed = frozenset()
        ended = [market for market, task in self._running.items() if market not in needed or task.done()]
        await asyncio.gather(*map(self.stop, ended))
        for market in sorted(needed - self._running.keys()):
            task = asyncio.create_task(self._collector(market).run(), name=f"stand-in feed:{market}")
            self._running[market] = task
            log.warning("collecting %s for this node alone: no message of the node that collects it arrives", market)

    async def stop(self, market: MarketSymbol) -> None:
        """Stop the feed of a market, if there is one."""
        task = self._running.pop(market, None)
        if task is None:
            return
        failed = task.exception() if task.done() and not task.cancelled() else None
        if failed is not None:
            log.error("the feed of %s for this node alone failed and is started again", market, exc_info=failed)
        await cancel_and_wait(task)
        log.info("no longer collecting %s for this node alone", market)

    async def close(self) -> None:
        """Stop all feeds."""
        await asyncio.gather(*map(self.stop, tuple(self._running)))

    def _are_due(self) -> bool:
        if self._bus.is_connected:
            self._away_since = None
            return False
        now = self._clock.monotonic()
        if self._away_since is None:
            self._away_since = now
        return now - self._away_since >= self._after_seconds
