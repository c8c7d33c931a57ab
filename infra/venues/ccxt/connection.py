"""What all users of one venue share: its clock, its rate limiter, its table of markets."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from weakref import WeakSet

from domain.core.background import cancel_and_wait
from domain.core.clock import Clock
from domain.model.client_order_ids import OrderIdForm
from domain.model.markets import Market, MarketSymbol, Timeframe, Venue
from domain.model.orders import OrderType
from domain.model.trading import VenueCredentials
from domain.model.venue_abilities import VenueAbilities
from domain.ports.market_data import VenueUnreachable
from infra.venues.ccxt import conversion as convert
from infra.venues.ccxt.client import exchange_class, new_exchange
from infra.venues.ccxt.clock import VenueClock
from infra.venues.ccxt.conversion import CcxtValue
from infra.venues.ccxt.errors import query_error
from infra.venues.ccxt.longer_candles import source_timeframe
from infra.venues.ccxt.profiles.plain import PLAIN
from infra.venues.ccxt.profiles.profile import VenueProfile
from infra.venues.ccxt.profiles.registry import profile_of
from infra.venues.config import VenueSettings
from infra.venues.rate_limit.rate_limiter import RateLimiter
from infra.venues.rate_limit.usage import OrderCountTracker, ResponseCounter

log = logging.getLogger(__name__)


class VenueConnection:
    """One venue, connected at its first use: ccxt is imported, the clock measured and the markets loaded once."""

    def __init__(self, settings: VenueSettings, clock: Clock, limiter: RateLimiter | None = None) -> None:
        self.settings = settings
        self.clock = VenueClock(clock)
        self.limiter = limiter or RateLimiter(clock)
        self.responses = ResponseCounter()
        self._local_clock = clock
        self._class: type[CcxtValue] | None = None
        self._public: CcxtValue = None
        self._markets: dict[str, Market] = {}
        self._account_exchanges = WeakSet[CcxtValue]()
        self._lock = asyncio.Lock()
        self._clock_task: asyncio.Task[None] | None = None

    @property
    def profile(self) -> VenueProfile | None:
        """The venue's profile; None if it has none."""
        return profile_of(self.settings.ccxt_id)

    @property
    def venue(self) -> Venue:
        """The venue as the domain knows it."""
        return Venue(self.settings.name, self.settings.live, has_profile=self.profile is not None)

    @property
    def names(self) -> "ConnectionNames":
        """The engine's names of what the venue names in its own way."""
        return ConnectionNames(self)

    @property
    def public(self) -> CcxtValue:
        """The exchange object of public calls; set once `ensure_connected` has returned."""
        return self._public

    async def ensure_connected(self) -> None:
        """Connect unless that was done; raises `VenueUnreachable`, and the next call tries again."""
        if self._clock_task is not None:
            return
        async with self._lock:
            if self._clock_task is None:
                await self._connect()

    async def abilities(self) -> VenueAbilities:
        """Return which orders and candles the venue supports, by ccxt's tables; sends no request."""
        async with self._lock:
            await self._load_class()
        known = venue_abilities(self._public, self.profile)
        return replace(known, live_accounts=known.live_accounts and self.settings.live)

    async def load_markets(self) -> list[Market]:
        """Return the venue's spot markets, always reloaded; raises `VenueUnreachable`."""
        await self.ensure_connected()
        async with self._lock:
            await self._load_markets(reload=True)
        return list(self._markets.values())

    def market(self, symbol: MarketSymbol) -> Market:
        """Return a market; raises `VenueUnreachable` if the venue doesn't have it (any more)."""
        found = self._markets.get(symbol.symbol)
        if found is None:
            raise VenueUnreachable(f"{self.settings.name} has no market {symbol.symbol}.")
        return found

    def symbol(self, name: str) -> MarketSymbol | None:
        """Return the market that ccxt calls `name`, such as BTC/USDT."""
        return MarketSymbol(self.settings.name, name) if name in self._markets else None

    def symbol_by_venue_id(self, venue_id: str) -> MarketSymbol | None:
        """Return the market that the venue calls `venue_id`, such as BTCUSDT."""
        for data in (self._public.markets_by_id or {}).get(venue_id, []):
            if data["symbol"] in self._markets:
                return MarketSymbol(self.settings.name, data["symbol"])
        return None

    def new_account_exchange(self, credentials: VenueCredentials) -> CcxtValue:
        """Return an exchange object that signs with `credentials` and shares the table of markets as it changes."""
        exchange = self._new_exchange(credentials)
        exchange.order_counts = OrderCountTracker(self._local_clock, self.responses)
        exchange.set_markets_from_exchange(self._public)
        exchange.ssl_context = self._public.ssl_context
        self._account_exchanges.add(exchange)
        return exchange

    async def reach(self) -> None:
        """Reach the venue and measure its clock, without loading its markets; raises `VenueUnreachable`."""
        async with self._lock:
            await self._load_class()
            await self._measure()

    async def measure_clock(self) -> None:
        """Measure the venue's clock now: it has refused a request for its time. Raises `VenueUnreachable`."""
        await self._measure()

    async def close(self) -> None:
        """Stop the clock and close the connections."""
        if self._clock_task is not None:
            await cancel_and_wait(self._clock_task)
        if self._public is not None:
            await self._public.close()

    async def _connect(self) -> None:
        await self._load_class()
        await self._measure()
        await self._load_markets(reload=False)
        self._clock_task = asyncio.create_task(self._clock_loop(), name=f"venue-clock:{self.settings.name}")

    async def _load_class(self) -> None:
        if self._class is None:
            self._class = await exchange_class(self.settings)
        if self._public is None:
            self._public = self._new_exchange(None)
            if self._public.enableRateLimit:
                self.limiter.use_token_bucket(self._public.rateLimit / 1000)

    def _new_exchange(self, credentials: VenueCredentials | None) -> CcxtValue:
        assert self._class is not None
        return new_exchange(self._class, self.settings, self.clock, self.limiter, credentials, self.responses)

    async def _load_markets(self, *, reload: bool) -> None:
        try:
            loaded, profile = await self._public.load_markets(reload), self.profile or PLAIN
            markets = {
                symbol: convert.market(
                    self.settings.name, data, self._public.precisionMode, profile.market_rules(data.get("info") or {})
                )
                for symbol, data in loaded.items()
                if data["spot"]
            }
        except Exception as error:  # noqa: BLE001  # whatever ccxt raises, there is no answer
            raise query_error(error) from None
        if not markets:
            # Accepting an empty table would end every feed of the venue.
            raise VenueUnreachable(f"{self.settings.name} names no spot market at all.")
        self._markets = markets
        # ccxt makes a new table. By an old one it would refuse or cut quantities that the venue takes.
        for exchange in self._account_exchanges:
            exchange.set_markets_from_exchange(self._public)

    async def _measure(self) -> None:
        if not self._public.has["fetchTime"]:
            return
        try:
            await self.clock.measure(self._public.fetch_time)
            self.limiter.sync_clock(self.clock.milliseconds)
        except Exception as error:  # noqa: BLE001  # as above
            raise query_error(error) from None

    async def _clock_loop(self) -> None:
        while True:
            await self.clock.wait_for_next_measurement()
            try:
                await self._measure()
            except VenueUnreachable as error:
                log.warning("the clock of %s could not be measured: %s", self.settings.name, error)
                await asyncio.sleep(1)


class ConnectionNames:
    """`VenueNames` by the venue's table of markets."""

    def __init__(self, connection: VenueConnection) -> None:
        self._connection = connection
        self._ids = OrderIdForm.PREFIXED if connection.profile is None else connection.profile.reading.ids

    def order_id(self, text: object) -> str:
        return "" if text is None else self._ids.from_venue(str(text))

    def market(self, venue_id: object) -> MarketSymbol | None:
        text = str(venue_id)
        return self._connection.symbol(text) or self._connection.symbol_by_venue_id(text)

    def currency(self, venue_id: object) -> str:
        return str(self._connection.public.safe_currency_code(str(venue_id)))


def venue_abilities(exchange: CcxtValue, profile: VenueProfile | None = None) -> VenueAbilities:
    """Return the abilities of a venue by its profile; a venue without one takes no orders, and has candles alone."""
    offered = exchange.timeframes or {}
    timeframes = tuple(timeframe for timeframe in Timeframe if source_timeframe(timeframe, offered) is not None)
    if profile is None:
        return VenueAbilities(order_types=(), times_in_force=(), post_only=False, timeframes=timeframes)
    return VenueAbilities(
        order_types=_with_held_types(profile.order_types),
        times_in_force=profile.times_in_force,
        post_only=profile.post_only,
        timeframes=timeframes,
        live_accounts=True,
        orders=profile.orders,
        fills=profile.fills,
        balances=profile.balances,
        amend=profile.amend,
        order_lists=profile.order_lists,
        trailing_stop=profile.trailing_stop,
        client_order_id_length=profile.reading.ids.length,
    )


def _with_held_types(types: Sequence[OrderType]) -> tuple[OrderType, ...]:
    """Return the types with those that the engine holds itself, and sends as market orders when they are triggered."""
    return (*types, OrderType.TRAILING_STOP) if OrderType.MARKET in types else tuple(types)
