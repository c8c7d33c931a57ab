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


@dataclass(slots=True)
class _KnownOutage:
    since: float
    last: FeedOutage
    ending_since: float | None = None


class FeedOutages:
    """Remembers since when each market can't be watched, in monotonic seconds; a moment lasts `patience_seconds`.

    An outage ends once prices have come for a quarter of that time: a feed that is followed again and again, and is
    silent each time, is down all the while.
    """

    def __init__(self, markets: MarketView, clock: Clock, patience_seconds: float) -> None:
        self._markets = markets
        self._clock = clock
        self._patience = patience_seconds
        self._known: dict[MarketSymbol, _KnownOutage] = {}

    def __repr__(self) -> str:
        return f"FeedOutages({sorted(map(str, self._known))})"

    def of(self, symbol: MarketSymbol, *, lacks_candles: bool = False) -> FeedOutage | None:
        """Return what keeps a market from being watched now; None if its prices come."""
        now, known = self._clock.monotonic(), self._known.get(symbol)
        reason = self._reason(symbol, lacks_candles=lacks_candles)
        if reason is not None:
            since = now if known is None else known.since
            outage = FeedOutage(reason, now - since >= self._patience)
            self._known[symbol] = _KnownOutage(since, outage)
            return outage
        if known is None:
            return None
        if known.ending_since is None:
            known.ending_since = now
        if now - known.ending_since < self._patience / 4:
            return known.last
        del self._known[symbol]
        return None

    def forget_all_but(self, symbols: set[MarketSymbol]) -> None:
        """Forget the markets that aren't watched any more."""
        self._known = {symbol: known for symbol, known in self._known.items() if symbol in symbols}

    def _reason(self, symbol: MarketSymbol, *, lacks_candles: bool) -> str | None:
        market, status = self._markets.catalogue.get(symbol), self._markets.status(symbol)
        if market is None or not market.active:
            return f"{symbol} is not traded at its venue now."
        if status is None or status.state is not FeedState.LIVE:
            return f"No prices of {symbol} come from its venue."
        return f"Candles of {symbol} are missing." if lacks_candles else None
