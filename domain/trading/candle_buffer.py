"""The closed candles that a trading session looks at: contiguous, as many as its strategy needs, the newest last."""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime

import numpy as np

from domain.indicators.candle_arrays import PRICES, CandleArrays
from domain.model.markets import Candle


class CandleBuffer:
    """A bounded row of closed candles of one market and timeframe without a gap in it.

    The candles are kept as numbers too, so that a decision doesn't wait for thousands of them to be converted.
    """

    def __init__(self, length: int) -> None:
        self._candles: deque[Candle] = deque(maxlen=length)
        self._numbers = np.empty((len(PRICES), 2 * length))
        self._end = 0

    def __len__(self) -> int:
        return len(self._candles)

    def __repr__(self) -> str:
        return f"CandleBuffer({len(self)} of {self._candles.maxlen}, newest={self.newest and self.newest.open_time})"

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
        if self._end == self._numbers.shape[1]:
            kept = len(self._candles) - 1
            self._numbers[:, :kept] = self._numbers[:, self._end - kept :].copy()
            self._end = kept
        self._numbers[:, self._end] = [float(getattr(candle, name)) for name in PRICES]
        self._end += 1
        return True

    def load(self, candles: Iterable[Candle]) -> None:
        """Begin anew with the longest gapless end of `candles`, given oldest first."""
        self._clear()
        for candle in candles:
            if not self.append(candle):
                self._clear()
                self.append(candle)

    def after(self, open_time: datetime | None) -> Sequence[Candle]:
        """Return the candles that opened after that time, oldest first; all of them where it is None."""
        return tuple(candle for candle in self._candles if open_time is None or candle.open_time > open_time)

    def arrays(self, open_time: datetime) -> CandleArrays:
        """Return, as numbers, what was closed when the candle opened at `open_time` closed, that one included."""
        newest = self.newest
        newer = 0 if newest is None else max((newest.open_time - open_time) // newest.timeframe.duration, 0)
        start, end = self._end - len(self._candles), max(self._end - newer, self._end - len(self._candles))
        return CandleArrays(*(row[start:end] for row in self._numbers))

    def _clear(self) -> None:
        self._candles.clear()
        self._end = 0
