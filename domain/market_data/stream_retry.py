"""When to retry a stream that broke, and what to log about it."""

import logging

from domain.core.backoff import Backoff
from domain.core.clock import Clock

log = logging.getLogger(__name__)

STABLE_AFTER_SECONDS = 10.0
"""How long a stream must have worked for its next failure to count as the first."""

LOG_AGAIN_SECONDS = 60.0


class StreamRetry:
    """The delays between the attempts of one stream, and a log of its outages: one line at once, then one a minute.

    A venue that accepts and closes at once, or skips for ever, is retried with the longest delay, and fills no log.
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._backoff = Backoff()
        self._working_since: float | None = None
        self._failed_at: float | None = None
        self._log_after = float("-inf")
        self._unlogged = 0
        self._is_logged = False

    def succeeded(self) -> None:
        """Record that the stream has data."""
        if self._working_since is None:
            self._working_since = now = self._clock.monotonic()
            if self._is_logged and self._failed_at is not None:
                self._is_logged = False
                log.info("%s is back after %.1f s", self._name, now - self._failed_at)

    def failed(self, reason: str, at_least: float | None = None) -> float:
        """Record that the stream broke; return the seconds until the next attempt, `at_least` those given."""
        now = self._clock.monotonic()
        if self._working_since is not None and now - self._working_since >= STABLE_AFTER_SECONDS:
            self._backoff.reset()
        if self._working_since is not None or self._failed_at is None:
            self._failed_at = now
        self._working_since = None
        self._log(reason, now)
        return self._backoff.next_delay(at_least)

    def _log(self, reason: str, now: float) -> None:
        if now < self._log_after:
            self._unlogged += 1
            return
        more = f" ({self._unlogged} more times in the last minute)" if self._unlogged else ""
        log.info("%s broke: %s%s", self._name, reason, more)
        self._log_after, self._unlogged, self._is_logged = now + LOG_AGAIN_SECONDS, 0, True
