"""One-second candles: of the last hour from the trades, of older minutes by splitting the minute's candle."""

from hashlib import blake2b
from random import Random

from infra.sandbox.candles import MINUTE_MS, SECOND_MS, Candle
from infra.sandbox.matching.synthetic_history import shares, split_prices
from infra.sandbox.trades import PublicTrade

KEPT_MINUTES = 60
SECONDS = MINUTE_MS // SECOND_MS


class SecondCandles:
    """The seconds of one market, which add up to its minutes."""

    def __init__(self, symbol: str) -> None:
        self.trades: list[PublicTrade] = []
        """Those of the forming minute."""
        self._symbol = symbol
        self._kept: dict[int, list[Candle]] = {}

    def close(self, minute: Candle) -> None:
        """Keep the seconds of a minute that has ended, if its trades were all seen."""
        if self.trades and len(self.trades) == minute.trades:
            self._kept[minute.open_ms] = self._traded()
            if len(self._kept) > KEPT_MINUTES:
                del self._kept[next(iter(self._kept))]
        self.trades = []

    def of_minute(self, minute: Candle, tick: int, *, is_forming: bool) -> list[Candle]:
        """Return the 60 candles of a minute."""
        traded = self._kept.get(minute.open_ms)
        if is_forming and len(self.trades) == minute.trades:
            traded = self._traded()
        if traded is None:
            return self._split(minute, tick)
        by_open = {candle.open_ms: candle for candle in traded}
        found, close = [], minute.open
        for open_ms in range(minute.open_ms, minute.open_ms + MINUTE_MS, SECOND_MS):
            candle = by_open.get(open_ms) or Candle.flat(open_ms, close)
            close = candle.close
            found.append(candle)
        return found

    def _traded(self) -> list[Candle]:
        seconds: dict[int, Candle] = {}
        for trade in self.trades:
            open_ms = trade.time_ms - trade.time_ms % SECOND_MS
            candle = seconds.get(open_ms) or Candle.flat(open_ms, trade.price)
            seconds[open_ms] = candle.with_trade(trade.price, trade.quantity, taker_buys=not trade.buyer_is_maker)
        return list(seconds.values())

    def _split(self, minute: Candle, tick: int) -> list[Candle]:
        opens = range(minute.open_ms, minute.open_ms + MINUTE_MS, SECOND_MS)
        if not minute.trades:
            return [Candle.flat(open_ms, minute.close) for open_ms in opens]
        seed = blake2b(f"{self._symbol}:{minute.open_ms}".encode(), digest_size=8).digest()
        random = Random(int.from_bytes(seed))  # noqa: S311 - no secret
        prices = split_prices(minute, SECONDS, random)
        weights = [random.lognormvariate(0.0, 1.0) for _ in opens]
        amounts = [shares(minute[field], weights) for field in range(5, len(minute))]
        return [
            Candle(open_ms, *(round(price / tick) * tick for price in part), *parts)
            for open_ms, part, *parts in zip(opens, prices, *amounts, strict=True)
        ]
