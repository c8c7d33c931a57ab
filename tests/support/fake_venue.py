"""A venue in memory: its trades, and the candles that they make, by an implementation as plain as can be."""

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
    for each in trades:
        buckets[int((each.at - EPOCH).total_seconds()) // seconds].append(each)
    last = int((until - EPOCH).total_seconds()) // seconds
    candles: list[Candle] = []
    for number in range(min(buckets), last + 1):
        opened = EPOCH + timedelta(seconds=number * seconds)
        inside = buckets[number]
        prices = [each.price for each in inside] or [candles[-1].close]
        volume = sum(each.quantity for each in inside)
        closed = opened + timedelta(seconds=seconds) <= until
        values = (prices[0], max(prices), min(prices), prices[-1], volume)
        candles.append(Candle(trades[0].market, timeframe, opened, *values, closed=closed))
    return candles


class FakeVenue:
    """`MarketDataSource` as far as a tape asks it; gives at most `most` trades, and candles up to `now`."""

    venue = "sandbox"

    def __init__(self, trades: Sequence[Trade], most: int = 1_000) -> None:
        self.trades = list(trades)
        self.most = most
        self.now = trades[0].at if trades else EPOCH

    def venue_now(self) -> datetime:
        return self.now

    async def fetch_trades(self, _market: MarketSymbol, limit: int) -> list[Trade]:
        return [each for each in self.trades if each.at <= self.now][-min(limit, self.most) :]

    async def fetch_candles(
        self, _market: MarketSymbol, timeframe: Timeframe, start: datetime | None, limit: int
    ) -> list[Candle]:
        candles = self.candles(timeframe)
        if start is None:
            return candles[-limit:]
        return [each for each in candles if each.open_time >= start][:limit]

    def candles(self, timeframe: Timeframe) -> list[Candle]:
        """All candles up to the present one."""
        seconds = int(timeframe.value[1:]) * {"M": 60, "H": 3_600, "D": 86_400, "W": 604_800}[timeframe.value[0]]
        traded = [each for each in self.trades if each.at <= self.now]
        return reference_candles(traded, seconds, timeframe, self.now)
