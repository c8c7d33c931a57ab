"""How long the parts of market data wait for what; a test gives shorter ones."""

from dataclasses import dataclass

from domain.core.clock import Clock
from domain.events.leases import LEASE_SECONDS, RENEW_SECONDS


@dataclass(frozen=True, slots=True)
class FeedTimings:
    """How often a node that collects does what, and for how long; all in seconds."""

    stale_after: float = 10.0
    """How old the newest book of a live feed may be."""

    first_book_wait: float = 2.0
    """How long a feed that was just started, perhaps in the place of another node's, says nothing without a book."""

    forming_every: float = 0.25
    tick_every: float = 0.1
    status_every: float = 2.0
    snapshot_every: float = 10.0
    cache_every: float = 1.0
    cache_seconds: float = 5.0
    """How long a book or a ticker may be read from the cache, whatever the clock of the node that reads it."""

    store_timeout: float = 1.0
    """How long a closed candle is kept back until it is stored."""

    demand_seconds: float = 60.0
    """How long a feed runs after it was requested last."""

    resync_every: float = 1.0
    verify_every: float = 10.0
    verify_after: float = 10.0
    """How long after its end a candle is compared with the venue's own."""

    scan_every: float = 3_600.0
    """How often gaps between stored candles are searched for."""

    manage_every: float = RENEW_SECONDS
    """How often feeds are started and stopped, and their leases renewed."""

    lease_seconds: float = LEASE_SECONDS
    """How long the lease of a feed is valid without being renewed."""

    retry_every: float = 0.5
    """How soon a feed that another node holds is tried for again: its lease may lapse, as after a crash."""

    stand_in_after: float = 3.0
    """How long messages must have been away until a node collects for itself what another node collects."""

    in_use_every: float = 5.0
    """How often it is read in which markets something is traded."""

    reload_markets_every: float = 600.0
    """How often the markets of a venue are loaded: their filters change, and orders off them are refused."""

    reload_markets_at_most_every: float = 10.0
    """How soon markets are loaded again that were requested because the venue has refused an order for a filter."""


@dataclass(frozen=True, slots=True)
class HubTimings:
    """How long a node that reads market data takes what for true; all in seconds."""

    fresh_seconds: float = 10.0
    """How old a book or a ticker may be and still be shown."""

    silent_after: float = 10.0
    """How long after its last status a feed counts as stale: its collector is gone."""

    linger_seconds: float = 30.0
    """How long a market is listened to after its last reader, so that the next one finds it warm."""

    request_every: float = 20.0
    """How often the feeds of followed markets are requested of the collectors."""

    maintain_every: float = 1.0
    cached_book_seconds: float = 5.0
    """How old a book from the cache may be."""

    overdue_after: float = 5.0
    """How long after its end a closed candle may take to arrive before it is looked up in the database."""

    overdue_every: float = 1.0


class Interval:
    """Becomes due at once, and then `seconds` after every time that it was found due."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self._next = clock.monotonic()

    def is_due(self) -> bool:
        """Return whether the time has come; if so, the next interval starts."""
        now = self._clock.monotonic()
        if now < self._next:
            return False
        self._next = now + self._seconds
        return True
