"""Tells whether more of a market's history has been stored since it was read, as far as this node knows."""

from collections import Counter
from collections.abc import Iterable

from domain.model.markets import MarketSymbol, Timeframe

Series = tuple[MarketSymbol, Timeframe | None]
"""The candles of a market with one timeframe; without a timeframe its trades."""


class HistoryVersions:
    """Counts how often something of a series was stored by this node, or heard to be stored by another.

    What this node can't hear of is stored all the same: imports by a program of their own, and what other nodes store
    of a market that this one doesn't follow.
    """

    def __init__(self) -> None:
        self._versions: Counter[Series] = Counter()

    def get(self, series: Series) -> int:
        """Return the version of a series, which is another one after each change."""
        return self._versions[series]

    def note_stored(self, stored: Iterable[Series]) -> None:
        """Give each of these series a new version."""
        for series in set(stored):
            self._versions[series] += 1
