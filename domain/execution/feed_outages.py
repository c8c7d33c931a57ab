"""Markets of which nothing is heard: why, and whether that has been so for too long to be passed over in silence."""

from dataclasses import dataclass

from domain.core.clock import Clock
from domain.model.markets import FeedState, MarketSymbol
from domain.ports.orders import MarketView


@dataclass(frozen=True, slots=True)
class FeedOutage:
    """Why a market can't be watched, as a sentence, and whether it has been so for longer than a moment."""

    reason: str
    is_long: bool


class FeedOutages:
    """Remembers since when each market can't be watched, in monotonic seconds; a moment lasts `patience_seconds`."""

    def __init__(self, markets: MarketView, clock: Clock, patience_seconds: float) -> None:
        self._markets = markets
        self._clock = clock
        self._patience = patience_seconds
        self._since: dict[MarketSymbol, float] = {}

    def __repr__(self) -> str:
        return f"FeedOutages({sorted(map(str, self._since))})"

    def of(self, symbol: MarketSymbol, *, lacks_candles: bool = False) -> FeedOutage | None:
        """Return what keeps a market from being watched now; None if its prices come."""
        reason = self._reason(symbol, lacks_candles=lacks_candles)
        if reason is None:
            self._since.pop(symbol, None)
            return None
        now = self._clock.monotonic()
        return FeedOutage(reason, now - self._since.setdefault(symbol, now) >= self._patience)

    def forget_all_but(self, symbols: set[MarketSymbol]) -> None:
        """Forget the markets that aren't watched any more."""
        self._since = {symbol: since for symbol, since in self._since.items() if symbol in symbols}

    def _reason(self, symbol: MarketSymbol, *, lacks_candles: bool) -> str | None:
        market, status = self._markets.catalogue.get(symbol), self._markets.status(symbol)
        if market is None or not market.active:
            return f"{symbol} is not traded at its venue now."
        if status is None or status.state is not FeedState.LIVE:
            return f"No prices of {symbol} come from its venue."
        return f"Candles of {symbol} are missing." if lacks_candles else None
