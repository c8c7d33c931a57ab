"""Limits how many markets of a venue are collected only because clients look at them."""

from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Final

from domain.core.clock import Clock
from domain.core.errors import RateLimited, Unavailable
from domain.model.markets import MarketSymbol
from domain.ports.unit_of_work import Database

MAX_FEEDS_PER_VENUE: Final = 200
ANONYMOUS_SHARE: Final = 4
"""Clients that aren't signed in share one part of so many; users have the rest."""

COLLECTED_AFTER_SECONDS: Final = 60.0
"""How long a market is collected, and counted, after its last reader."""

IN_USE_SECONDS: Final = 5.0
"""How often, at most, it is read in which markets something is traded, if clients are at their limit."""


class FeedReader(StrEnum):
    """On whose behalf a market is followed."""

    ENGINE = "ENGINE"
    """Trading itself and what keeps it safe: never refused and never counted."""

    USER = "USER"
    ANONYMOUS = "ANONYMOUS"


class FeedLimit:
    """Counts the markets that the clients of one node follow; users and anonymous clients have limits of their own.

    A market that the engine follows itself, or in which something is traded on any node, isn't counted.
    """

    def __init__(self, database: Database, clock: Clock, per_venue: int = MAX_FEEDS_PER_VENUE) -> None:
        anonymous = max(per_venue // ANONYMOUS_SHARE, 1)
        self._database = database
        self._clock = clock
        self._in_use: AbstractSet[MarketSymbol] = frozenset()
        self._in_use_at = float("-inf")
        self._limits = {FeedReader.USER: max(per_venue - anonymous, 1), FeedReader.ANONYMOUS: anonymous}
        self._reading = {reader: Counter[MarketSymbol]() for reader in FeedReader}
        self._until: dict[FeedReader, dict[MarketSymbol, float]] = {reader: {} for reader in FeedReader}

    def try_acquire(self, markets: Sequence[MarketSymbol], reader: FeedReader) -> bool:
        """Count all of these markets until `release`; if that would be too many, count none and return False."""
        if reader is not FeedReader.ENGINE and not self._fits(markets, reader):
            return False
        self._reading[reader].update(markets)
        return True

    def release(self, markets: Sequence[MarketSymbol], reader: FeedReader) -> None:
        """Undo `try_acquire`; a market still counts for as long as it is collected."""
        self._reading[reader].subtract(markets)
        until = self._clock.monotonic() + COLLECTED_AFTER_SECONDS
        for market in markets:
            if not self._reading[reader][market]:
                del self._reading[reader][market]
                if reader is not FeedReader.ENGINE:
                    self._until[reader][market] = until

    @asynccontextmanager
    async def admit(self, markets: Sequence[MarketSymbol], reader: FeedReader) -> AsyncIterator[None]:
        """Count all of these markets inside the block; raises `RateLimited` if they would be too many."""
        if not self.try_acquire(markets, reader):
            await self._load_markets_in_use()
            if not self.try_acquire(markets, reader):
                venues = ", ".join(sorted({market.venue for market in markets}))
                raise RateLimited(f"Too many markets of {venues} are followed already", int(COLLECTED_AFTER_SECONDS))
        try:
            yield
        finally:
            self.release(markets, reader)

    async def _load_markets_in_use(self) -> None:
        if self._clock.monotonic() - self._in_use_at > IN_USE_SECONDS:
            self._in_use_at = self._clock.monotonic()
            with suppress(Unavailable):
                async with self._database.read_only() as reading:
                    self._in_use = frozenset(await reading.trading_sessions.markets_in_use())

    def _fits(self, markets: Collection[MarketSymbol], reader: FeedReader) -> bool:
        now = self._clock.monotonic()
        self._until[reader] = {market: until for market, until in self._until[reader].items() if until > now}
        held = self._reading[reader].keys() | self._until[reader].keys()
        new = {market for market in markets if market not in held and self._counts(market)}
        if not new:
            return True
        counted = Counter(market.venue for market in held | new if self._counts(market))
        return all(counted[venue] <= self._limits[reader] for venue in {market.venue for market in new})

    def _counts(self, market: MarketSymbol) -> bool:
        return market not in self._in_use and market not in self._reading[FeedReader.ENGINE]
