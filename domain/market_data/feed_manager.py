"""Decides which feeds a collector node runs: those that are in use and that no other node runs."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from domain.core.background import BackgroundTasks, cancel_and_wait
from domain.core.backoff import Backoff
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import Unavailable
from domain.core.wakeup import Wakeup
from domain.events.leases import RELEASED_TOPIC, LeaseHandle, acquire_lease
from domain.events.work_balance import WorkBalance
from domain.market_data.backfill import Backfill
from domain.market_data.codec import decode_demand
from domain.market_data.collector import Collector
from domain.market_data.history_versions import Series
from domain.market_data.leased_publisher import LeasedPublisher
from domain.market_data.stand_in_feeds import NodePublisher, StandInFeeds
from domain.market_data.timings import FeedTimings
from domain.market_data.topics import CANDLES_DEMAND, FEED_DEMAND, MARKETS_CHANGED, MARKETS_DEMAND
from domain.market_data.trade_feed import FeedOutputs
from domain.market_data.writer import MarketDataWriter
from domain.model.markets import MarketSymbol
from domain.ports.bus import BusSubscription, MessageBus
from domain.ports.cache import Cache
from domain.ports.market_data import MarketDataSource, VenueUnreachable
from domain.ports.unit_of_work import Database

log = logging.getLogger(__name__)

LEASE_KIND = "feed"


@dataclass(slots=True)
class _Running:
    lease: LeaseHandle
    collector: Collector
    task: asyncio.Task[None]


class FeedManager:
    """Runs a collector for each market in use, `always` collected or lately requested, each under its own lease."""

    def __init__(
        self,
        sources: Mapping[str, MarketDataSource],
        database: Database,
        bus: MessageBus,
        cache: Cache,
        clock: Clock,
        ids: IdGenerator,
        holder: str,
        always: Sequence[MarketSymbol] = (),
        timings: FeedTimings | None = None,
        balance: WorkBalance | None = None,
        on_stored: Callable[[Iterable[Series]], None] = lambda _stored: None,
    ) -> None:
        self._sources = sources
        self._database = database
        self._bus = bus
        self._clock = clock
        self._ids = ids
        self._holder = holder
        self._always = frozenset(always)
        self._timings = timings or FeedTimings()
        self._balance = balance
        self.writer = MarketDataWriter(database, on_stored=on_stored)
        self._backfill = Backfill(sources, database, self.writer, clock)
        self._outputs = FeedOutputs(bus, cache, self.writer, self._backfill)
        own = replace(self._outputs, bus=NodePublisher(bus))
        after = self._timings.stand_in_after
        self._stand_ins = StandInFeeds(bus, clock, lambda market: self._new_collector(market, own), after)
        self._known: set[MarketSymbol] = set()
        self._requested_at: dict[MarketSymbol, float] = {}
        self._in_use: frozenset[MarketSymbol] = frozenset()
        self._in_use_at = float("-inf")
        self._running: dict[MarketSymbol, _Running] = {}
        self._wake = Wakeup()
        self._reloads = {name: Wakeup() for name in sources}
        self._tasks = BackgroundTasks()
        self._subscriptions: list[BusSubscription] = []

    @property
    def running(self) -> frozenset[MarketSymbol]:
        """The markets that this node collects."""
        return frozenset(self._running)

    @property
    def stand_ins(self) -> frozenset[MarketSymbol]:
        """The markets that this node collects for itself alone, while it hears nothing of their collector."""
        return self._stand_ins.running

    @property
    def collectors(self) -> dict[MarketSymbol, Collector]:
        """The collectors of the markets that this node collects."""
        return {market: running.collector for market, running in self._running.items()}

    @property
    def backfill_waiting(self) -> int:
        """The number of back-fills that are queued or under way."""
        return self._backfill.waiting

    async def start(self) -> None:
        """Start; the venues' markets are loaded in the background."""
        self._subscriptions = [
            await self._bus.subscribe(FEED_DEMAND, self._on_feed_demand),
            await self._bus.subscribe(CANDLES_DEMAND, self._on_candles_demand),
            await self._bus.subscribe(MARKETS_DEMAND, self._on_markets_demand),
            await self._bus.subscribe(RELEASED_TOPIC, self._on_released),
        ]
        loops = [self._market_list_loop(name, source) for name, source in self._sources.items()]
        loops += [self._feed_loop(), self.writer.run(), self._backfill.run()]
        for loop in loops:
            self._tasks.start(loop, name="feed-manager")

    async def close(self) -> None:
        """Stop every feed, store what is left, and release the leases."""
        for subscription in self._subscriptions:
            await subscription.close()
        await self._tasks.close()
        await self._stand_ins.close()
        await self._stop_all(tuple(self._running))
        await self._bus.publish(RELEASED_TOPIC, LEASE_KIND.encode())
        await self.writer.flush()

    def _on_feed_demand(self, message: bytes) -> None:
        try:
            market = MarketSymbol.parse(message.decode())
        except ValueError:
            return
        self._requested_at[market] = self._clock.monotonic()
        if market not in self._running:
            self._wake.set()

    def _on_released(self, message: bytes) -> None:
        if message == LEASE_KIND.encode():
            self._wake.set()

    def _on_markets_demand(self, message: bytes) -> None:
        reload = self._reloads.get(message.decode(errors="replace"))
        if reload is not None:
            reload.set()

    def _on_candles_demand(self, message: bytes) -> None:
        demand = decode_demand(message)
        if demand.market in self._running:
            self._backfill.request(demand)

    async def _market_list_loop(self, name: str, source: MarketDataSource) -> None:
        backoff = Backoff(cap_seconds=30.0)
        while True:
            try:
                await self._load_markets(name, source)
                backoff.reset()
                await self._wait_for_reload(name)
            except VenueUnreachable as error:
                log.warning("the markets of %s could not be loaded: %s", name, error)
                await asyncio.sleep(backoff.next_delay(error.retry_after_seconds))
            except Unavailable as error:
                log.warning("the markets of %s could not be stored: %s", name, error.message)
                await asyncio.sleep(backoff.next_delay())

    async def _wait_for_reload(self, name: str) -> None:
        """Wait until the markets are due, or requested; requests that come soon after a load wait for the next."""
        at_least = min(self._timings.reload_markets_at_most_every, self._timings.reload_markets_every)
        await asyncio.sleep(at_least)
        reload = self._reloads[name]
        await reload.wait(self._timings.reload_markets_every - at_least)
        reload.clear()

    async def _load_markets(self, name: str, source: MarketDataSource) -> None:
        markets = await source.load_markets()
        async with self._database.transaction() as transaction:
            await transaction.market_data.save_markets(markets)
        self._known = {market for market in self._known if market.venue != name}
        self._known |= {market.symbol for market in markets}
        await self._bus.publish(MARKETS_CHANGED, name.encode())
        self._wake.set()

    async def _feed_loop(self) -> None:
        while True:
            self._wake.clear()
            missing = True
            try:
                await self._renew()
                missing = await self._start_and_stop_feeds()
            except Unavailable as error:
                log.warning("feeds wait for the database: %s", error.message)
                await self._drop_lapsed()
            except Exception:
                log.exception("feeds could not be managed; it is tried again at once")
            await self._wake.wait(self._timings.retry_every if missing else self._timings.manage_every)

    async def _renew(self) -> None:
        for market, running in tuple(self._running.items()):
            if not await running.lease.renew():
                await self._stop(market, release=False)
                log.warning("the feed of %s stops here: %s", market, await running.lease.reason_lost())

    async def _drop_lapsed(self) -> None:
        for market, running in tuple(self._running.items()):
            if running.lease.current is None:
                await self._stop(market, release=False)

    async def _start_and_stop_feeds(self) -> bool:
        """Start needed feeds, stop others and failed ones; return whether another node holds a needed one."""
        needed = await self._needed_markets()
        ended = [market for market, running in self._running.items() if market not in needed or running.task.done()]
        await self._stop_all(ended)
        await self._start_all(sorted(needed - self._running.keys()))
        await self._give_back()
        missing = needed - self._running.keys()
        await self._stand_ins.manage(missing & (self._requested_at.keys() | self._always))
        return bool(missing)

    async def _needed_markets(self) -> frozenset[MarketSymbol]:
        now = self._clock.monotonic()
        if now - self._in_use_at > self._timings.in_use_every:
            async with self._database.read_only() as reading:
                self._in_use = frozenset(await reading.trading_sessions.markets_in_use())
            self._in_use_at = now
        self._requested_at = {
            market: at for market, at in self._requested_at.items() if now - at < self._timings.demand_seconds
        }
        return (self._always | self._in_use | self._requested_at.keys()) & self._known

    async def _start_all(self, markets: Sequence[MarketSymbol]) -> None:
        """Start those feeds that are free and this node's share."""
        if self._balance is None:
            for market in markets:
                await self._start(market)
            return
        takeable = await self._balance.takeable([str(market) for market in markets])
        started = 0
        for key in takeable.keys:
            if started < takeable.count and await self._start(MarketSymbol.parse(key)):
                self._balance.note_taken(key)
                started += 1

    async def _give_back(self) -> None:
        """Stop some feeds if another node has fewer."""
        count = 0 if self._balance is None else await self._balance.count_to_give()
        if self._balance is None or not count:
            return
        moved = sorted(self._running)[:count]
        log.info("%d of %d feeds move to nodes that have fewer", len(moved), len(self._running))
        self._balance.note_given([str(market) for market in moved])
        # A node that has just joined may not have heard yet that they are needed.
        for market in moved:
            await self._bus.publish(FEED_DEMAND, str(market).encode())
        await self._stop_all(moved)
        await self._bus.publish(RELEASED_TOPIC, LEASE_KIND.encode())

    async def _start(self, market: MarketSymbol) -> bool:
        lease = await acquire_lease(
            self._database, self._clock, LEASE_KIND, str(market), self._holder, self._timings.lease_seconds
        )
        if lease is None:
            return False
        await self._stand_ins.stop(market)
        outputs = replace(self._outputs, bus=LeasedPublisher(self._bus, lease))
        collector = self._new_collector(market, outputs)
        task = asyncio.create_task(collector.run(), name=f"feed:{market}")
        self._running[market] = _Running(lease, collector, task)
        log.info("collecting %s", market)
        return True

    def _new_collector(self, market: MarketSymbol, outputs: FeedOutputs) -> Collector:
        return Collector(market, self._sources[market.venue], outputs, self._clock, self._ids, self._timings)

    async def _stop_all(self, markets: Sequence[MarketSymbol]) -> None:
        """Stop feeds concurrently: each unsubscribes from its venue, and the leases of the others must be renewed."""
        await asyncio.gather(*(self._stop(market) for market in markets))

    async def _stop(self, market: MarketSymbol, *, release: bool = True) -> None:
        running = self._running.pop(market)
        failed = running.task.exception() if running.task.done() and not running.task.cancelled() else None
        if failed is not None:
            log.error("the feed of %s failed and is started again", market, exc_info=failed)
        await cancel_and_wait(running.task)
        if release:
            # If the database is away, the lease lapses by itself.
            with suppress(Unavailable):
                await running.lease.release()
        log.info("no longer collecting %s", market)
