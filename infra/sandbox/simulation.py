"""The composition of an exchange: state, markets, their liquidity, and the loop that moves them."""

import asyncio
import secrets

from infra.sandbox.admin import Admin
from infra.sandbox.api.rate_limits import RateLimits
from infra.sandbox.app import SandboxApp
from infra.sandbox.clock import SandboxClock, monotonic_seconds
from infra.sandbox.faults import FaultInjector
from infra.sandbox.fixed_point import SCALE
from infra.sandbox.market_data.mirror import LiveVenue, Mirror, bind_folder_to_venue
from infra.sandbox.market_data.order_flow import STEP_SECONDS, SyntheticFlow
from infra.sandbox.market_data.replay import RecordingStart, ReplayPlayer, find_recording_start
from infra.sandbox.market_data.sleeping_markets import SleepingMarkets
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.matching.market import SimulatedMarket
from infra.sandbox.matching.market_file import read_market_file
from infra.sandbox.matching.market_specs import MARKETS, MarketSpec
from infra.sandbox.options import SandboxOptions
from infra.sandbox.state.state_folder import StateFolder
from infra.sandbox.streams.hub import StreamHub
from infra.sandbox.streams.publisher import MarketPublisher
from infra.sandbox.streams.user_socket import UserStreams

STEPS_BETWEEN_SAVES = 10
STEPS_BETWEEN_REVIEWS = 600
"""A minute: how long a market that nobody looks at keeps its order flow at least."""
CROSS = "ETHBTC"
CROSS_OF = ("ETHUSDT", "BTCUSDT")


class Simulation:
    """One running exchange."""

    def __init__(self, folder: StateFolder, options: SandboxOptions, live: LiveVenue | None = None) -> None:
        start = int(options.replay_at.timestamp() * 1000) if options.replay_at else None
        self.exchange = Exchange(folder.store, SandboxClock(start, options.speed))
        bind_folder_to_venue(folder.store, None if live is None else live.name)
        self.seed = self._load_seed(folder, options.seed)
        self._hub = StreamHub()
        self._faults = FaultInjector()
        self._streams = UserStreams(self.exchange.clock, self._faults)
        self.exchange.listeners.append(self._streams.publish)
        recording_start = find_recording_start(options.replay) if options.replay else None
        self._publishers: dict[str, MarketPublisher] = {}
        self._mirror: Mirror | None = None
        self._listed_by_file = (
            {}
            if options.markets is None
            else {spec.symbol: spec for spec in read_market_file(options.markets) if spec.symbol not in MARKETS}
        )
        if live is not None:
            self._mirror = Mirror(live, self.exchange, self._hub, self._open_mirrored_market)
        else:
            self._open_markets(recording_start)
        self.exchange.restore_orders()
        self._replay: ReplayPlayer | None = None
        if recording_start and not ReplayPlayer.is_finished(self.exchange, options):
            self._replay = ReplayPlayer(
                self.exchange, self._publishers[recording_start.symbol], options, recording_start
            )
        self._flows: dict[str, SyntheticFlow] = {}
        self._sleeping = SleepingMarkets(self.exchange, self._hub, self._wake, self._let_sleep)
        for symbol, market in self._markets():
            if symbol in self._listed_by_file:
                self._sleeping.add(market)
            elif not market.is_mirror and (self._replay is None or symbol != self._replay.symbol):
                self._start_flow(market, fill=True)
        self.exchange.flush()
        for _, market in self._markets():
            market.book.drain_changes()
        admin = Admin(folder.token, self.exchange, self._flows, self._hub, self._streams)
        limits = RateLimits(unlimited=options.unlimited)
        self.exchange.has_limits = not options.unlimited
        self.app = SandboxApp(self.exchange, admin, self._hub, self._streams, self._faults, limits)

    async def run(self) -> None:
        """Move the markets until cancelled."""
        await asyncio.gather(self._step_loop(), *([self._mirror.run()] if self._mirror else []))

    async def _step_loop(self) -> None:
        """Step the exchange ten times a second."""
        due, steps = monotonic_seconds(), 0
        while True:
            due = max(due + STEP_SECONDS, monotonic_seconds() - 1)
            await self._play_until(due)
            self.step()
            steps += 1
            if steps % STEPS_BETWEEN_SAVES == 0:
                self.save()
            if steps % STEPS_BETWEEN_REVIEWS == 0:
                self._sleeping.review()

    def step(self) -> None:
        """Advance every synthetic market by 100 ms, and publish the changes."""
        now = self.exchange.clock.now_ms()
        awake = [(symbol, market) for symbol, market in self._markets() if not market.is_asleep]
        for symbol, market in awake:
            market.roll_candle(now)
            if flow := self._flows.get(symbol):
                flow.step()
        self.exchange.flush()
        for symbol, market in awake:
            publisher = self._publishers[symbol]
            if symbol in self._flows:
                publisher.depth()
            if market.closed_because is None:
                publisher.step()

    def save(self) -> None:
        """Save prices, candles and the replay's position."""
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

    def _open_markets(self, recording_start: RecordingStart | None) -> None:
        prices = {symbol: spec.first_price for symbol, spec in MARKETS.items()}
        if recording_start is not None:
            prices[recording_start.symbol] = recording_start.price
        prices[CROSS] = _on_tick(prices[CROSS_OF[0]] * SCALE // prices[CROSS_OF[1]], MARKETS[CROSS].tick)
        prices |= {symbol: spec.first_price for symbol, spec in self._listed_by_file.items()}
        for symbol, spec in (MARKETS | self._listed_by_file).items():
            market = self.exchange.open_market(spec, self.seed, prices[symbol])
            self._publishers[symbol] = MarketPublisher(market, self._hub, self.exchange.clock)

    def _open_mirrored_market(self, spec: MarketSpec) -> MarketPublisher:
        market = self.exchange.open_mirrored_market(spec)
        publisher = self._publishers[spec.symbol] = MarketPublisher(market, self._hub, self.exchange.clock)
        return publisher

    def _start_flow(self, market: SimulatedMarket, *, fill: bool) -> None:
        symbol = market.spec.symbol
        anchor = market.history.first_price / SCALE
        flow = SyntheticFlow(market, self.exchange.matcher, self.seed, market.last_price / SCALE, anchor)
        if symbol == CROSS:
            flow.target_price = self._cross_price
        self._flows[symbol] = flow
        if fill:
            flow.fill_book()

    def _wake(self, market: SimulatedMarket) -> None:
        market.roll_candle(self.exchange.clock.now_ms())
        self._start_flow(market, fill=True)

    def _let_sleep(self, market: SimulatedMarket) -> None:
        del self._flows[market.spec.symbol]

    def _cross_price(self) -> float:
        above, below = (self.exchange.markets[symbol].last_price for symbol in CROSS_OF)
        return above / below

    def _markets(self) -> list[tuple[str, SimulatedMarket]]:
        return list(self.exchange.markets.items())

    @staticmethod
    def _load_seed(folder: StateFolder, requested: int | None) -> int:
        """Return the folder's seed; the first start decides, because the history depends on it."""
        kept = folder.store.meta("seed")
        seed = int(kept) if kept else (secrets.randbits(32) if requested is None else requested)
        if not kept:
            folder.store.set_meta("seed", str(seed))
        return seed


def _on_tick(price: int, tick: int) -> int:
    return max(tick, price // tick * tick)
