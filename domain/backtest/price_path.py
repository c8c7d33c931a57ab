"""The way of the price within a bar: the bar as a whole, or the bars of a shorter timeframe that it is made of."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from domain.backtest.bars import Bars, PriceTicks, Ticks


class Stretch(NamedTuple):
    """A stretch of a bar whose order of prices isn't known, in ticks, with its ends in milliseconds since 1970.

    At its open the order of things is known, except for the first of a bar, whose open is the bar's own.
    """

    open: int
    high: int
    low: int
    close: int
    opened: int
    ended: int
    is_first: bool = True


class PricePath:
    """The prices of bars by index, in ticks, and the stretches of each bar.

    Those are the bars of `detail` where they reach the low and the high of the bar: some of them may be missing, and
    then it isn't known when a price was reached that none of them has.
    """

    def __init__(self, bars: Bars, prices: PriceTicks, detail: tuple[Bars, PriceTicks] | None = None) -> None:
        self.open = prices.open.data
        self.high = prices.high.data
        self.low = prices.low.data
        self.close = prices.close.data
        self.opened = bars.opened.data
        self.milliseconds = bars.milliseconds
        self._detail = None if detail is None else PricePath(*detail)
        self._starts: Ticks | None = None
        if detail is not None:
            ends = np.append(bars.opened, bars.opened[-1:] + bars.milliseconds)
            self._starts = np.searchsorted(detail[0].opened, ends)

    @property
    def is_plain(self) -> bool:
        """Whether each bar is one stretch."""
        return self._detail is None

    def stretches(self, bar: int) -> Iterator[Stretch]:
        """Yield the stretches of a bar in their order."""
        detail = self._detail
        if detail is None or self._starts is None:
            yield self.whole(bar)
            return
        start, end = int(self._starts[bar]), int(self._starts[bar + 1])
        until = self.opened[bar] + self.milliseconds
        inside = [index for index in range(start, end) if detail.opened[index] < until]
        lowest = min((detail.low[index] for index in inside), default=None)
        highest = max((detail.high[index] for index in inside), default=None)
        if lowest is None or highest is None or lowest > self.low[bar] or highest < self.high[bar]:
            yield self.whole(bar)
            return
        for index in inside:
            yield detail._stretch(index, is_first=index == inside[0])  # noqa: SLF001  # of the same class

    def whole(self, bar: int) -> Stretch:
        """Return the whole bar as one stretch."""
        return self._stretch(bar, is_first=True)

    def _stretch(self, bar: int, *, is_first: bool) -> Stretch:
        opened = self.opened[bar]
        return Stretch(
            self.open[bar],
            self.high[bar],
            self.low[bar],
            self.close[bar],
            opened,
            opened + self.milliseconds,
            is_first,
        )
