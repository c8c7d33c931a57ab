"""What all users of one venue share: its clock, its rate limiter, its table of markets."""

import asyncio
import logging

from domain.core.background import cancel_and_wait
from domain.core.clock import Clock
from domain.model.markets import Market, MarketSymbol, Timeframe
from domain.model.orders import OrderType, TimeInForce
from domain.model.trading import VenueCredentials
from domain.model.venue_abilities import VenueAbilities
from domain.ports.market_data import VenueUnreachable
from infra.venues.ccxt import conversion as convert
from infra.venues.ccxt.client import exchange_class, new_exchange
from infra.venues.ccxt.clock import VenueClock
from infra.venues.ccxt.conversion import CcxtValue
from infra.venues.ccxt.errors import query_error
from infra.venues.ccxt.longer_candles import source_timeframe
from infra.venues.config import VenueSettings
from infra.venues.rate_limit.rate_limiter import RateLimiter
from infra.venues.rate_limit.usage import OrderCountTracker, ResponseCounter

log = logging.getLogger(__name__)

_IMMEDIATE = (TimeInForce.IOC, TimeInForce.FOK)


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
        self._lock = asyncio.Lock()
        self._clock_task: asyncio.Task[None] | None = None

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
        return venue_abilities(self._public)

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

    def symbol_by_venue_id(self, venue_id: str) -> MarketSymbol | None:
        """Return the market that the venue calls `venue_id`, such as BTCUSDT."""
        for data in (self._public.markets_by_id or {}).get(venue_id, []):
            if data["symbol"] in self._markets:
                return MarketSymbol(self.settings.name, data["symbol"])
        return None

    def new_account_exchange(self, credentials: VenueCredentials) -> CcxtValue:
        """Return an exchange object that signs with `credentials` and shares the table of markets."""
        exchange = self._new_exchange(credentials)
        exchange.order_counts = OrderCountTracker(self._local_clock, self.responses)
        exchange.set_markets_from_exchange(self._public)
        return exchange

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
            loaded = await self._public.load_markets(reload)
            markets = {
                symbol: convert.market(self.settings.name, data, self._public.precisionMode)
                for symbol, data in loaded.items()
                if data["spot"]
            }
        except Exception as error:  # noqa: BLE001  # whatever ccxt raises, there is no answer
            raise query_error(error) from None
        if not markets:
            # Accepting an empty table would end every feed of the venue.
            raise VenueUnreachable(f"{self.settings.name} names no spot market at all.")
        self._markets = markets

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


def venue_abilities(exchange: CcxtValue) -> VenueAbilities:
    """Return what ccxt declares of the venue's spot markets: https://docs.ccxt.com/#/README?id=features."""
    features = ((exchange.features or {}).get("spot") or {}).get("createOrder") or {}
    in_force, offered = features.get("timeInForce") or {}, exchange.timeframes or {}
    types = [OrderType.MARKET] if exchange.has.get("createMarketOrder") is not False else []
    types.append(OrderType.LIMIT)
    if features.get("stopLossPrice"):
        types += [OrderType.STOP, OrderType.STOP_LIMIT]
    if features.get("takeProfitPrice"):
        types += [OrderType.TAKE_PROFIT, OrderType.TAKE_PROFIT_LIMIT]
    immediate = (time_in_force for time_in_force in _IMMEDIATE if in_force.get(time_in_force.value))
    return VenueAbilities(
        order_types=tuple(types),
        times_in_force=(TimeInForce.GTC, *immediate, TimeInForce.GTD),
        post_only=bool(in_force.get("PO")),
        timeframes=tuple(timeframe for timeframe in Timeframe if source_timeframe(timeframe, offered) is not None),
    )
