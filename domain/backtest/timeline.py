"""The equity of a backtest over time: cash and coins after each fill, valued at the closes of all markets."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from domain.backtest.bars import Ticks
from domain.backtest.run_context import RunContext
from domain.backtest.units import Units
from domain.indicators.candle_arrays import Floats

_DAY_MILLISECONDS = 86_400_000


@dataclass(frozen=True, slots=True)
class _Coins:
    """What one market holds: the places of its fills in time and its coins after each, and its closes over time."""

    units: Units
    places: Sequence[int]
    base: Sequence[int]
    closes: Ticks


class Timeline:
    """The times at which a candle of any market opens, from a start on, with the equity at the close of each.

    `opened` are those times in milliseconds since 1970; whole amounts are in units of quote.
    """

    def __init__(self, contexts: Sequence[RunContext], start: int, initial: int) -> None:
        self._milliseconds = contexts[0].bars.milliseconds
        self.opened = _union([context.bars.opened for context in contexts], start)
        self._units = contexts[0].ledger.units
        self._coins = [self._coins_of(context) for context in contexts]
        flows = [fill.cash for context in contexts for fill in context.ledger.fills]
        places = [place for coins in self._coins for place in coins.places[1:]]
        in_order = np.argsort(places, kind="stable").tolist()
        self._places = [0, *(places[index] for index in in_order)]
        self._cash = list(accumulate((flows[index] for index in in_order), initial=initial))

    def __len__(self) -> int:
        return len(self.opened)

    def closed_at(self, place: int) -> int:
        """Return when the candles of a place in time closed."""
        return int(self.opened[place]) + self._milliseconds

    def equity(self, place: int) -> Decimal:
        """Return the equity at the close of the candles of a place in time."""
        total = self._cash[bisect_right(self._places, place) - 1]
        for coins in self._coins:
            base = coins.base[bisect_right(coins.places, place) - 1]
            total += coins.units.value(int(coins.closes[place]), base)
        return self._units.quote(total)

    def equities(self) -> Floats:
        """Return the equity at all closes, as floats."""
        total = _steps(self._places, self._cash, len(self)) * 10.0**-self._units.quote_places
        for coins in self._coins:
            tick = float(coins.units.quote(coins.units.tick))
            total += _steps(coins.places, coins.base, len(self)) * tick * coins.closes
        return total

    def day_ends(self) -> npt.NDArray[np.int64]:
        """Return the last places of all UTC days but the last one."""
        return np.flatnonzero(np.diff((self.opened + self._milliseconds - 1) // _DAY_MILLISECONDS))

    def _coins_of(self, context: RunContext) -> _Coins:
        opened, fills = context.bars.opened, context.ledger.fills
        bars = np.array([fill.bar for fill in fills], dtype=np.int64)
        before = int(opened.searchsorted(self.opened[0]))
        if not len(opened):  # a market that has no candle at all
            closes, places = np.zeros(len(self), dtype=np.int64), bars
        elif len(opened) - before == len(self):
            closes, places = context.prices.close[before:], bars - before
        else:
            # A market without a candle of that time has the close of its last one, or its first open before that.
            last = opened.searchsorted(self.opened, side="right") - 1
            closes = np.where(last >= 0, context.prices.close[np.maximum(last, 0)], context.prices.open[:1])
            places = self.opened.searchsorted(opened[bars])
        base = accumulate((fill.base for fill in fills), initial=0)
        return _Coins(context.ledger.units, [0, *places.tolist()], list(base), closes)


def _union(opened: Sequence[npt.NDArray[np.int64]], start: int) -> npt.NDArray[np.int64]:
    first, *others = opened
    times = first if all(np.array_equal(first, other) for other in others) else np.unique(np.concatenate(opened))
    return times[times.searchsorted(start) :]


def _steps(places: Sequence[int], values: Sequence[int], count: int) -> Floats:
    """Return a series that has each value from its place on."""
    marks = np.array([*places, count], dtype=np.int64)
    lengths: npt.NDArray[np.int64] = marks[1:] - marks[:-1]
    return np.repeat(np.array([float(value) for value in values]), lengths)
