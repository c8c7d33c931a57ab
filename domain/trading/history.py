"""The closed candles that a trading session looks at: contiguous, as many as its strategy needs, the newest last."""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime

from domain.markets.types import Candle


class CandleHistory:
    """A bounded row of closed candles of one market and timeframe without a gap in it."""

    def __init__(self, length: int) -> None:
        self._candles: deque[Candle] = deque(maxlen=length)

    def __len__(self) -> int:
        return len(self._candles)

    @property
    def newest(self) -> Candle | None:
        """The candle that closed last."""
        return self._candles[-1] if self._candles else None

    @property
    def candles(self) -> Sequence[Candle]:
        """All of them, oldest first."""
        return tuple(self._candles)

    def follows(self, candle: Candle) -> bool:
        """Tell whether `candle` is the one that comes next."""
        return self.newest is None or candle.open_time == self.newest.close_time

    def append(self, candle: Candle) -> bool:
        """Take the next candle; False where it is known already or would leave a gap."""
        if not self.follows(candle):
            return False
        self._candles.append(candle)
        return True

    def load(self, candles: Iterable[Candle]) -> None:
        """Begin anew with the longest gapless end of `candles`, given oldest first."""
        self._candles.clear()
        for candle in candles:
            if not self.append(candle):
                self._candles.clear()
                self._candles.append(candle)

    def upto(self, open_time: datetime) -> Sequence[Candle]:
        """Return the candles that were closed when the one opened at `open_time` closed, that one included."""
        return tuple(candle for candle in self._candles if candle.open_time <= open_time)
