"""Recognises trades that were seen before: streams, responses and resynchronisations repeat them."""

from collections import OrderedDict

from domain.model.markets import Trade

REMEMBERED_TRADES = 5_000


class TradeDeduplicator:
    """The ids of the newest trades of one market, as many as may be repeated."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def add(self, trade: Trade) -> bool:
        """Add the trade; return whether it is new."""
        if trade.venue_trade_id in self._ids:
            return False
        self._ids[trade.venue_trade_id] = None
        if len(self._ids) > REMEMBERED_TRADES:
            self._ids.popitem(last=False)
        return True

    def clear(self) -> None:
        """Remove all."""
        self._ids.clear()
