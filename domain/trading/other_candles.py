"""The closed candles of another market or timeframe, which a strategy's rules name beside those of its own market."""

from datetime import datetime
from typing import NoReturn

from domain.core.wakeup import Wakeup
from domain.indicators.candle_arrays import CandleArrays
from domain.model.markets import Candle, MarketSymbol, Timeframe
from domain.trading.candle_buffer import CandleBuffer
from domain.trading.dependencies import TradingDependencies
from domain.trading.stored_candles import read_newest, request_candles

POLL_SECONDS = 0.5
WAIT_SECONDS = 5.0
"""How long a strategy waits for the other candles that close together with its own."""


class OtherCandles:
    """Holds the newest closed candles of one market and timeframe, without a gap; `needed` is how many it takes."""

    def __init__(
        self, market: MarketSymbol, timeframe: Timeframe, needed: int, spare: int, dependencies: TradingDependencies
    ) -> None:
        self.market = market
        self.timeframe = timeframe
        self._needed = needed
        self._spare = spare
        self._buffer = CandleBuffer(needed + spare)
        self._dependencies = dependencies
        self._wakeup = Wakeup()

    def __repr__(self) -> str:
        return f"OtherCandles({self.market}, {self.timeframe.venue_name}, {self._buffer!r}, needed={self._needed})"

    async def run(self) -> NoReturn:
        """Keep the market's feed running and take in what closes, until cancelled."""
        async with self._dependencies.feed.closed_candles(self.market, self.timeframe) as arrivals:
            while True:
                await self._accept(await anext(arrivals))

    @property
    def is_filled(self) -> bool:
        """Whether there are as many as needed, however old."""
        return len(self._buffer) >= self._needed

    def has_closed_by(self, at: datetime) -> bool:
        """Return whether the candle that closed last before that time, or at it, is there."""
        newest = self._buffer.newest
        return newest is not None and newest.close_time >= self.timeframe.open_time(at)

    async def load(self, at: datetime) -> bool:
        """Read the stored candles; return whether there are as many as needed, up to the last that closed by `at`."""
        limit = self._needed + self._spare
        candles = await read_newest(self._dependencies.database, self.market, self.timeframe, limit)
        if candles is None:
            return False
        self._buffer.load(candles)
        return self.is_filled and self.has_closed_by(at)

    async def request(self, at: datetime) -> None:
        """Have the collectors store what is missing."""
        start = self.timeframe.open_time(at) - self._needed * self.timeframe.duration
        await request_candles(self._dependencies.bus, self.market, self.timeframe, start)

    async def wait_for(self, at: datetime) -> None:
        """Return once the candle that closed last by that time is there, or after a while without it.

        Its values are then unknown and a rule that names them is false: an older candle never stands in for it.
        """
        clock = self._dependencies.clock
        deadline = clock.monotonic() + WAIT_SECONDS
        while not self.has_closed_by(at) and clock.monotonic() < deadline:
            self._wakeup.clear()
            if not await self._wakeup.wait(POLL_SECONDS):
                await self.load(at)

    def arrays(self) -> CandleArrays:
        """Return all of them as arrays, with their times."""
        newest = self._buffer.newest
        assert newest is not None, "candles are loaded before they are evaluated"
        return self._buffer.arrays(newest.open_time)

    def describe_missing(self) -> str:
        """Return what it waits for, as a trading session's status reason."""
        name = f"{self.market} of {self.timeframe.venue_name}"
        return f"It waits for candles of {name}: {len(self._buffer)} of the {self._needed} that it needs are here."

    async def _accept(self, candle: Candle) -> None:
        if not self._buffer.append(candle) and not self.has_closed_by(candle.close_time):
            await self.load(candle.close_time)
        self._wakeup.set()
