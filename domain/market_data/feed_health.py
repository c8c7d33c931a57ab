"""The state of a feed, by its connections and the age of its last book."""

from datetime import datetime

from domain.core.clock import Clock
from domain.model.markets import FeedState, FeedStatus, MarketSymbol


class FeedHealth:
    """LIVE with a book of the present epoch, STALE after silence, RECONNECTING without one or while trades are lost.

    A book is good before the first trades are known, so that a cold market can be traded at once.
    """

    def __init__(self, market: MarketSymbol, clock: Clock, stale_after_seconds: float) -> None:
        self._market = market
        self._clock = clock
        self._stale_after = stale_after_seconds
        self._book_at: float | None = None
        self._trades: bool | None = None
        self._state = FeedState.RECONNECTING
        self._since: datetime = clock.now()

    @property
    def status(self) -> FeedStatus:
        """The present state, and since when."""
        state = self._present()
        if state is not self._state:
            self._state, self._since = state, self._clock.now()
        return FeedStatus(self._market, self._state, self._since)

    @property
    def book_age_seconds(self) -> float | None:
        """The age of the newest good book; None without one of the present epoch."""
        return None if self._book_at is None else self._clock.monotonic() - self._book_at

    @property
    def trades_connected(self) -> bool:
        """Whether no trade can be missing, so that time may close candles."""
        return self._trades is True

    def on_depth(self) -> None:
        """Record that a complete book has come, or that the venue has confirmed it."""
        self._book_at = self._clock.monotonic()

    def on_depth_lost(self) -> None:
        """Record that the stream of books broke."""
        self._book_at = None

    def on_trades(self) -> None:
        """Record that every trade up to now is known."""
        self._trades = True

    def on_trades_lost(self) -> None:
        """Record that the stream of trades broke."""
        self._trades = None if self._trades is None else False

    def _present(self) -> FeedState:
        if self._book_at is None or self._trades is False:
            return FeedState.RECONNECTING
        silent = self._clock.monotonic() - self._book_at
        return FeedState.STALE if silent > self._stale_after else FeedState.LIVE
