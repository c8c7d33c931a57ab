"""The closed candles that a trading session evaluates: without a gap, as many as its strategy needs, oldest first."""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import takewhile

import numpy as np

from domain.indicators.candle_arrays import PRICES, CandleArrays
from domain.model.markets import Candle


class CandleBuffer:
    """A bounded queue of consecutive closed candles of one market and timeframe.

    The candles are also stored as an array of numbers, so that a decision doesn't wait for thousands of conversions.
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
        """The candle that closed last; None if the buffer is empty."""
        return self._candles[-1] if self._candles else None

    @property
    def candles(self) -> Sequence[Candle]:
        """All candles of the buffer, oldest first."""
        return tuple(self._candles)

    def follows(self, candle: Candle) -> bool:
        """Return whether `candle` is the next one after the newest."""
        return self.newest is None or candle.open_time == self.newest.close_time

    def append(self, candle: Candle) -> bool:
        """Append the next candle; False if it is in the buffer already or would leave a gap."""
        if not self.follows(candle):
            return False
        self._candles.append(candle)
        if self._end == self._numbers.shape[1]:
            count = len(self._candles) - 1
            self._numbers[:, :count] = self._numbers[:, self._end - count :].copy()
            self._end = count
        self._numbers[:, self._end] = [float(getattr(candle, name)) for name in PRICES]
        self._end += 1
        return True

    def load(self, candles: Iterable[Candle]) -> None:
        """Replace all candles by the newest ones of `candles` that have no gap between them; given oldest first."""
        self._clear()
        for candle in candles:
            if not self.append(candle):
                self._clear()
                self.append(candle)

    def after(self, open_time: datetime | None) -> Sequence[Candle]:
        """Return the candles that opened after that time, oldest first; all of them if it is None."""
        if open_time is None:
            return tuple(self._candles)
        newer = takewhile(lambda candle: candle.open_time > open_time, reversed(self._candles))
        return tuple(newer)[::-1]

    def arrays(self, open_time: datetime) -> CandleArrays:
        """Return as arrays the candles up to the one that opened at `open_time`, which is included."""
        newest = self.newest
        newer = 0 if newest is None else max((newest.open_time - open_time) // newest.timeframe.duration, 0)
        start, end = self._end - len(self._candles), max(self._end - newer, self._end - len(self._candles))
        prices = (row[start:end] for row in self._numbers)
        if newest is None:
            return CandleArrays(*prices)
        last, seconds = int(newest.open_time.timestamp()), newest.timeframe.seconds
        times = last - seconds * np.arange(self._end - 1 - start, self._end - 1 - end, -1)
        return CandleArrays(*prices, opened_at=times, timeframe=newest.timeframe)

    def _clear(self) -> None:
        self._candles.clear()
        self._end = 0
