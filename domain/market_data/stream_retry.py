"""The tries of one stream to be followed: when to try again, and what the log is told of it."""

import logging

from domain.core.backoff import Backoff
from domain.core.clock import Clock

log = logging.getLogger(__name__)

STABLE_AFTER_SECONDS = 10.0
"""How long a stream must have worked before its next failure counts as the first one again."""

LOG_AGAIN_SECONDS = 60.0


class StreamRetry:
    """Waits longer from failure to failure of one stream, and tells the log of an outage once, then once a minute.

    A venue that accepts and closes at once, or skips for ever, gets the longest wait and fills no log.
    """

    def __init__(self, name: str, clock: Clock) -> None:
        self._name = name
        self._clock = clock
        self._backoff = Backoff()
        self._works_since: float | None = None
        self._failed_at = 0.0
        self._log_after = float("-inf")
        self._unlogged = 0
        self._is_logged = False

    def succeeded(self) -> None:
        """Note that the stream gives what it should."""
        if self._works_since is None:
            self._works_since = now = self._clock.monotonic()
            if self._is_logged:
                self._is_logged = False
                log.info("%s is back after %.1f s", self._name, now - self._failed_at)

    def failed(self, reason: str, at_least: float | None = None) -> float:
        """Note that the stream broke; return the seconds to wait, `at_least` what the venue asked for."""
        now = self._clock.monotonic()
        if self._works_since is not None:
            self._failed_at = now
            if now - self._works_since >= STABLE_AFTER_SECONDS:
                self._backoff.reset()
        self._works_since = None
        self._log(reason, now)
        return self._backoff.next_delay(at_least)

    def _log(self, reason: str, now: float) -> None:
        if now < self._log_after:
            self._unlogged += 1
            return
        more = f" ({self._unlogged} more times in the last minute)" if self._unlogged else ""
        log.info("%s broke: %s%s", self._name, reason, more)
        self._log_after, self._unlogged, self._is_logged = now + LOG_AGAIN_SECONDS, 0, True
