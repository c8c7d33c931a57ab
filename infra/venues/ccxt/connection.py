"""What all use of one venue shares: its clock, its rate budget, its table of markets."""

import asyncio
import logging

from domain.core.clock import Clock
from domain.model.markets import Market, MarketSymbol
from domain.model.trading import VenueCredentials
from domain.model.venue_abilities import VenueAbilities
from domain.ports.market_data import VenueUnreachable
from infra.venues.abilities import abilities
from infra.venues.ccxt import conversion as convert
from infra.venues.ccxt.client import exchange_class, new_exchange
from infra.venues.ccxt.clock import VenueClock
from infra.venues.ccxt.errors import question_error
from infra.venues.ccxt.types import Ccxt
from infra.venues.config import VenueSettings
from infra.venues.rate_limit.rate_limiter import RateLimiter
from infra.venues.rate_limit.usage import OrderCountTracker, ResponseCounter

log = logging.getLogger(__name__)


class VenueConnection:
    """One venue, connected with its first use: ccxt imported, clock measured, markets loaded, once for all."""

    def __init__(self, settings: VenueSettings, clock: Clock, budget: RateLimiter | None = None) -> None:
        self.settings = settings
        self.clock = VenueClock(clock)
        self.budget = budget or RateLimiter(clock)
        self.traffic = ResponseCounter()
        self._steady = clock
        self._class: type[Ccxt] | None = None
        self._public: Ccxt = None
        self._markets: dict[str, Market] = {}
        self._lock = asyncio.Lock()
        self._timekeeper: asyncio.Task[None] | None = None

    @property
    def public(self) -> Ccxt:
        """The exchange object of public calls; there once `ready` has returned."""
        return self._public

    async def ready(self) -> None:
        """Return once the venue can be used; raises `VenueUnreachable`, and the next call tries again."""
        if self._timekeeper is not None:
            return
        async with self._lock:
            if self._timekeeper is None:
                await self._connect()

    async def abilities(self) -> VenueAbilities:
        """Return what the engine can have done at the venue; nothing is asked of it."""
        async with self._lock:
            await self._load_class()
        return abilities(self._public)

    async def load_markets(self) -> list[Market]:
        """Return the venue's spot markets, loaded anew; raises `VenueUnreachable`."""
        await self.ready()
        async with self._lock:
            await self._load_markets(again=True)
        return list(self._markets.values())

    def market(self, symbol: MarketSymbol) -> Market:
        """Return a market; raises `VenueUnreachable` where the venue doesn't have it (any more)."""
        found = self._markets.get(symbol.symbol)
        if found is None:
            raise VenueUnreachable(f"{self.settings.name} has no market {symbol.symbol}.")
        return found

    def symbol_of(self, venue_id: str) -> MarketSymbol | None:
        """Return the market that the venue calls `venue_id`, such as BTCUSDT."""
        for told in (self._public.markets_by_id or {}).get(venue_id, []):
            if told["symbol"] in self._markets:
                return MarketSymbol(self.settings.name, told["symbol"])
        return None

    def new_account_exchange(self, credentials: VenueCredentials) -> Ccxt:
        """Return an exchange object that signs with `credentials` and shares the table of markets."""
        exchange = self._new_exchange(credentials)
        exchange.order_counts = OrderCountTracker(self._steady, self.traffic)
        exchange.set_markets_from_exchange(self._public)
        return exchange

    async def close(self) -> None:
        """Let go of everything."""
        if self._timekeeper is not None:
            self._timekeeper.cancel()
            await asyncio.gather(self._timekeeper, return_exceptions=True)
        if self._public is not None:
            await self._public.close()

    async def _connect(self) -> None:
        await self._load_class()
        await self._measure()
        await self._load_markets(again=False)
        self._timekeeper = asyncio.create_task(self._keep_time(), name=f"venue-clock:{self.settings.name}")

    async def _load_class(self) -> None:
        if self._class is None:
            self._class = await exchange_class(self.settings)
        if self._public is None:
            self._public = self._new_exchange(None)
            if self._public.enableRateLimit:
                self.budget.keep_pace(self._public.rateLimit / 1000)

    def _new_exchange(self, credentials: VenueCredentials | None) -> Ccxt:
        assert self._class is not None
        return new_exchange(self._class, self.settings, self.clock, self.budget, credentials, self.traffic)

    async def _load_markets(self, *, again: bool) -> None:
        try:
            told = await self._public.load_markets(again)
            markets = {
                symbol: convert.market(self.settings.name, each, self._public.precisionMode)
                for symbol, each in told.items()
                if each["spot"]
            }
        except Exception as error:  # noqa: BLE001  # whatever ccxt raises, there is no answer
            raise question_error(error) from None
        if not markets:
            # Believed, it would end every feed of the venue.
            raise VenueUnreachable(f"{self.settings.name} names no spot market at all.")
        self._markets = markets

    async def _measure(self) -> None:
        if not self._public.has["fetchTime"]:
            return
        try:
            await self.clock.measure(self._public.fetch_time)
            self.budget.follow(self.clock.milliseconds)
        except Exception as error:  # noqa: BLE001  # as above
            raise question_error(error) from None

    async def _keep_time(self) -> None:
        while True:
            await self.clock.wait_for_next_measurement()
            try:
                await self._measure()
            except VenueUnreachable as error:
                log.warning("the clock of %s could not be measured: %s", self.settings.name, error)
                await asyncio.sleep(1)
