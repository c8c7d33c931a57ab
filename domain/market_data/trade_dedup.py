"""Which trades were taken already: streams, answers and new beginnings tell the same ones again."""

from collections import OrderedDict

from domain.model.markets import Trade

REMEMBERED_TRADES = 5_000


class TradeDeduplicator:
    """The newest trades of one market by the venue's ids, as many as may be told again."""

    def __init__(self) -> None:
        self._ids: OrderedDict[str, None] = OrderedDict()

    def add(self, trade: Trade) -> bool:
        """Tell whether the trade wasn't known, and know it from now on."""
        if trade.venue_trade_id in self._ids:
            return False
        self._ids[trade.venue_trade_id] = None
        if len(self._ids) > REMEMBERED_TRADES:
            self._ids.popitem(last=False)
        return True

    def clear(self) -> None:
        """Forget them all."""
        self._ids.clear()
