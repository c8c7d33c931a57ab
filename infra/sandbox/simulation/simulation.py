"""The exchange put together: state, markets, their liquidity, and the beat that moves them."""

import asyncio
import secrets

from infra.sandbox.api.admin import Admin
from infra.sandbox.api.app import SandboxApp
from infra.sandbox.api.rate_limits import Limits
from infra.sandbox.clock import VenueClock, monotonic_seconds
from infra.sandbox.faults import FaultInjector
from infra.sandbox.fixed_point import SCALE
from infra.sandbox.market_data.mirror import LiveVenue, Mirror, claim
from infra.sandbox.market_data.replay import FirstFrame, ReplayPlayer, find_first_frame
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.matching.markets import MARKETS, MarketSpec
from infra.sandbox.options import SandboxOptions
from infra.sandbox.simulation.market import Market
from infra.sandbox.simulation.order_flow import STEP_SECONDS, SyntheticFlow
from infra.sandbox.state.state_folder import StateFolder
from infra.sandbox.streams.hub import Hub
from infra.sandbox.streams.publisher import Feed
from infra.sandbox.streams.user_socket import UserStreams

STEPS_BETWEEN_SAVES = 10
CROSS = "ETHBTC"
CROSS_OF = ("ETHUSDT", "BTCUSDT")


class Venue:
    """One running exchange."""

    def __init__(self, folder: StateFolder, options: SandboxOptions, live: LiveVenue | None = None) -> None:
        start = int(options.replay_at.timestamp() * 1000) if options.replay_at else None
        self.exchange = Exchange(folder.store, VenueClock(start, options.speed))
        claim(folder.store, None if live is None else live.name)
        self.seed = self._keep_seed(folder, options.seed)
        self._hub = Hub()
        self._faults = FaultInjector()
        self._streams = UserStreams(self.exchange.clock, self._faults)
        self.exchange.listeners.append(self._streams.tell)
        first_frame = find_first_frame(options.replay) if options.replay else None
        self._feeds: dict[str, Feed] = {}
        self._mirror: Mirror | None = None
        if live is not None:
            self._mirror = Mirror(live, self.exchange, self._hub, self._open_mirror)
        else:
            self._open_markets(first_frame)
        self.exchange.restore_orders()
        self._replay: ReplayPlayer | None = None
        if first_frame and not ReplayPlayer.is_finished(self.exchange, options):
            self._replay = ReplayPlayer(self.exchange, self._feeds[first_frame.symbol], options, first_frame)
        self._flows: dict[str, SyntheticFlow] = {}
        for symbol, market in self._markets():
            if not market.is_mirror and (self._replay is None or symbol != self._replay.symbol):
                self._start_flow(market, fill=True)
        self.exchange.flush()
        for _, market in self._markets():
            market.book.take_changes()
        admin = Admin(folder.token, self.exchange, self._flows, self._hub, self._streams)
        limits = Limits(unlimited=options.unlimited)
        self.exchange.has_limits = not options.unlimited
        self.app = SandboxApp(self.exchange, admin, self._hub, self._streams, self._faults, limits)

    async def run(self) -> None:
        """Move the markets until cancelled."""
        await asyncio.gather(self._beat(), *([self._mirror.run()] if self._mirror else []))

    async def _beat(self) -> None:
        """Let the exchange live, ten times a second."""
        due, steps = monotonic_seconds(), 0
        while True:
            due = max(due + STEP_SECONDS, monotonic_seconds() - 1)
            await self._play_until(due)
            self.step()
            steps += 1
            if steps % STEPS_BETWEEN_SAVES == 0:
                self.save()

    def step(self) -> None:
        """Let every synthetic market live through 100 ms, and publish what changed."""
        now = self.exchange.clock.now_ms()
        for symbol, market in self._markets():
            market.roll(now)
            if flow := self._flows.get(symbol):
                flow.step()
        self.exchange.flush()
        for symbol, feed in self._feeds.items():
            if symbol in self._flows:
                feed.depth()
            if self.exchange.markets[symbol].closed_because is None:
                feed.step()

    def save(self) -> None:
        """Keep prices, candles and the replay's position."""
        self.exchange.save_markets()
        if self._replay is not None:
            self._replay.save()
        if self._mirror is not None:
            self._mirror.save()
        self.exchange.store.commit()

    def disconnect(self) -> None:
        """End every WebSocket connection."""
        self._hub.drop_all()
        self._streams.drop_all()

    async def _play_until(self, due: float) -> None:
        """Play recorded frames as they fall due, until the monotonic second `due`."""
        left = due - monotonic_seconds()
        while left > 0:
            await asyncio.sleep(self._play(left))
            left = due - monotonic_seconds()

    def _play(self, left: float) -> float:
        """Play the recorded frames that are due; return how long to sleep, at most `left` seconds."""
        if self._replay is None:
            return left
        wait = self._replay.play()
        if wait is None:
            market = self.exchange.markets[self._replay.symbol]
            self._replay.save()
            self._replay = None
            self._start_flow(market, fill=False)
            return left
        return min(wait, left)

    def _open_markets(self, first_frame: FirstFrame | None) -> None:
        prices = {symbol: spec.first_price for symbol, spec in MARKETS.items()}
        if first_frame is not None:
            prices[first_frame.symbol] = first_frame.price
        prices[CROSS] = _on_tick(prices[CROSS_OF[0]] * SCALE // prices[CROSS_OF[1]], MARKETS[CROSS].tick)
        for symbol, spec in MARKETS.items():
            market = self.exchange.open_market(spec, self.seed, prices[symbol])
            self._feeds[symbol] = Feed(market, self._hub, self.exchange.clock)

    def _open_mirror(self, spec: MarketSpec) -> Feed:
        market = self.exchange.open_mirror(spec)
        feed = self._feeds[spec.symbol] = Feed(market, self._hub, self.exchange.clock)
        return feed

    def _start_flow(self, market: Market, *, fill: bool) -> None:
        symbol = market.spec.symbol
        anchor = market.history.first_price / SCALE
        flow = SyntheticFlow(market, self.exchange.matcher, self.seed, market.last_price / SCALE, anchor)
        if symbol == CROSS:
            flow.pull = self._cross_price
        self._flows[symbol] = flow
        if fill:
            flow.fill_book()

    def _cross_price(self) -> float:
        above, below = (self.exchange.markets[symbol].last_price for symbol in CROSS_OF)
        return above / below

    def _markets(self) -> list[tuple[str, Market]]:
        return list(self.exchange.markets.items())

    @staticmethod
    def _keep_seed(folder: StateFolder, wanted: int | None) -> int:
        """Return the folder's seed; the first start decides, since the history hangs on it."""
        kept = folder.store.meta("seed")
        seed = int(kept) if kept else (secrets.randbits(32) if wanted is None else wanted)
        if not kept:
            folder.store.set_meta("seed", str(seed))
        return seed


def _on_tick(price: int, tick: int) -> int:
    return max(tick, price // tick * tick)
