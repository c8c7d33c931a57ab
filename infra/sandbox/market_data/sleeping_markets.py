"""Markets of a file have order flow only while somebody looks at them: thousands of them cost next to nothing."""

from collections.abc import Callable

from infra.sandbox.matching.book import Book
from infra.sandbox.matching.exchange import Exchange
from infra.sandbox.matching.market import SimulatedMarket
from infra.sandbox.streams.hub import StreamHub

MOST_AWAKE = 100
"""Markets with order flow at a time, beside those that have subscribers or users' orders."""


class SleepingMarkets:
    """Wakes a market that is asked for, and lets those sleep again that nobody has asked for lately.

    A market with subscribers or with users' orders stays awake.
    """

    def __init__(
        self,
        exchange: Exchange,
        hub: StreamHub,
        start: Callable[[SimulatedMarket], None],
        stop: Callable[[SimulatedMarket], None],
    ) -> None:
        self._exchange = exchange
        self._hub = hub
        self._start = start
        self._stop = stop
        self._awake: dict[str, SimulatedMarket] = {}
        exchange.wake = self.wake

    def add(self, market: SimulatedMarket) -> None:
        """Let a market sleep until it is asked for; one with users' orders wakes at once."""
        market.is_asleep = True
        if self._exchange.entry.counts[market.spec.symbol]:
            self.wake(market)

    def wake(self, market: SimulatedMarket) -> None:
        """Give a market order flow, and let the one sleep that was awake the longest if there are too many."""
        market.is_asleep = False
        self._awake[market.spec.symbol] = market
        self._start(market)
        if len(self._awake) > MOST_AWAKE:
            longest = next(
                (found for found in self._awake.values() if found is not market and not self._is_used(found)), None
            )
            if longest is not None:
                self._let_sleep(longest)

    def review(self) -> None:
        """Let the markets sleep that nobody has asked for since the last review."""
        for market in list(self._awake.values()):
            if not market.is_looked_at and not self._is_used(market):
                self._let_sleep(market)
            market.is_looked_at = False

    def _is_used(self, market: SimulatedMarket) -> bool:
        symbol = market.spec.symbol
        return bool(self._exchange.entry.counts[symbol] or self._hub.streams_with_prefix(f"{symbol.lower()}@"))

    def _let_sleep(self, market: SimulatedMarket) -> None:
        symbol = market.spec.symbol
        market.save()
        self._exchange.store.set_meta(f"{symbol}.last_price", str(market.last_price))
        market.is_asleep = True
        market.book = Book()
        del self._awake[symbol]
        self._stop(market)
