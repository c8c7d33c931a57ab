"""Whether an order waits for the first book of its market."""

from datetime import datetime, timedelta

from domain.model.markets import FeedState, MarketSymbol
from domain.ports.orders import MarketView

BOOK_WAIT_SECONDS = 3.0
"""How long a feed that nobody used may take to its first book."""


def is_warming_up(
    markets: MarketView, market: MarketSymbol, now: datetime, within_seconds: float = BOOK_WAIT_SECONDS
) -> bool:
    """Return whether there is no fresh book yet but one may come within `within_seconds`.

    A feed that has been stale or broken for longer doesn't recover sooner because an order waits for it, and all
    orders behind that one would wait too.
    """
    if markets.latest_depth(market) is not None:
        return False
    status = markets.status(market)
    return status is None or status.state is FeedState.LIVE or now - status.since < timedelta(seconds=within_seconds)
