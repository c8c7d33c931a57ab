"""Recognises trades that were seen before: streams, responses and resynchronisations repeat them."""

from cachetools import FIFOCache

from domain.model.markets import Trade

REMEMBERED_TRADES = 5_000
"""Of one market: the 1,000 that a venue lists when a stream is resynchronised, and those that come meanwhile."""


class TradeDeduplicator:
    """The ids of the newest trades of one market, as many as may be repeated."""

    def __init__(self) -> None:
        self._ids: FIFOCache[str, None] = FIFOCache(REMEMBERED_TRADES)

    def add(self, trade: Trade) -> bool:
        """Add the trade; return whether it is new."""
        if trade.venue_trade_id in self._ids:
            return False
        self._ids[trade.venue_trade_id] = None
        return True

    def clear(self) -> None:
        """Forget all ids."""
        self._ids.clear()
