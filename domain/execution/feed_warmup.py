"""Whether an order waits for the book of its market."""

from datetime import datetime, timedelta

from domain.model.markets import FeedState, MarketSymbol
from domain.ports.orders import MarketView

COLD_FEED_SECONDS = 3.0
"""How long a feed that nobody used may take to its first book."""


def is_warming_up(
    markets: MarketView, market: MarketSymbol, now: datetime, within_seconds: float = COLD_FEED_SECONDS
) -> bool:
    """Tell whether there is no fresh book yet and one may come in a moment.

    A feed that has been silent or broken for longer won't be back sooner because an order waits for it; all that are
    behind it would wait too.
    """
    if markets.latest_depth(market) is not None:
        return False
    status = markets.status(market)
    return status is None or status.state is FeedState.LIVE or now - status.since < timedelta(seconds=within_seconds)
