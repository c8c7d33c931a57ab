"""Binance's numbers of trades: those of a market follow on each other, so that a missing one shows at once.

Source: `historicalTrades` pages through all trades of a market by `fromId`
(https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints); in the recordings that the
tests use none is skipped.
"""

from collections.abc import Iterable

from domain.model.markets import Trade
from domain.ports.market_data import VenueGap


class TradeNumbers:
    """The numbers of one stream of trades."""

    def __init__(self) -> None:
        self._last: int | None = None

    def check(self, trades: Iterable[Trade]) -> None:
        """Raise `VenueGap` where a number is skipped; one that comes again is nothing new."""
        for trade in trades:
            number = int(trade.venue_trade_id)
            if self._last is not None and number > self._last + 1:
                raise VenueGap(f"trades {self._last + 1} to {number - 1} of {trade.market} are missing")
            self._last = max(number, self._last or number)
