"""A market data source in memory: trades, and the candles that they make, by an implementation as plain as can be."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from domain.model.markets import Candle, MarketSymbol, Timeframe, Trade

EPOCH = datetime(1970, 1, 5, tzinfo=UTC)


def reference_candles(trades: Sequence[Trade], seconds: int, timeframe: Timeframe, until: datetime) -> list[Candle]:
    """Group trades, which are in order, by time alone; the last candle is the one that holds `until`."""
    if not trades:
        return []
    buckets: dict[int, list[Trade]] = defaultdict(list)
    for trade in trades:
        buckets[int((trade.at - EPOCH).total_seconds()) // seconds].append(trade)
    last = int((until - EPOCH).total_seconds()) // seconds
    candles: list[Candle] = []
    for number in range(min(buckets), last + 1):
        opened = EPOCH + timedelta(seconds=number * seconds)
        inside = buckets[number]
        prices = [trade.price for trade in inside] or [candles[-1].close]
        volume = sum(trade.quantity for trade in inside)
        closed = opened + timedelta(seconds=seconds) <= until
        values = (prices[0], max(prices), min(prices), prices[-1], volume)
        candles.append(Candle(trades[0].market, timeframe, opened, *values, closed=closed))
    return candles


class FakeVenue:
    """A `MarketDataSource` for trade sequencing: gives at most `most` trades, and candles up to `now`."""

    venue = "sandbox"

    def __init__(self, trades: Sequence[Trade], most: int = 1_000) -> None:
        self.trades = list(trades)
        self.most = most
        self.now = trades[0].at if trades else EPOCH

    def venue_now(self) -> datetime:
        return self.now

    async def fetch_trades(self, _market: MarketSymbol, limit: int) -> list[Trade]:
        return [trade for trade in self.trades if trade.at <= self.now][-min(limit, self.most) :]

    async def fetch_candles(
        self, _market: MarketSymbol, timeframe: Timeframe, start: datetime | None, limit: int
    ) -> list[Candle]:
        candles = self.candles(timeframe)
        if start is None:
            return candles[-limit:]
        return [candle for candle in candles if candle.open_time >= start][:limit]

    def candles(self, timeframe: Timeframe) -> list[Candle]:
        """All candles up to the present one."""
        seconds = int(timeframe.value[1:]) * {"M": 60, "H": 3_600, "D": 86_400, "W": 604_800}[timeframe.value[0]]
        traded = [trade for trade in self.trades if trade.at <= self.now]
        return reference_candles(traded, seconds, timeframe, self.now)
