"""Back-off after HTTP 418 or 429.

Honours Retry-After (RFC 9110, 10.2.3) and Binance's "banned until"; without either it doubles from 10 s (429) or 120 s
(418).
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from domain.core.clock import Clock, from_milliseconds

BANNED = 418
BAN_STATUSES = frozenset({BANNED, 429})
FIRST_SECONDS = {429: 10.0, BANNED: 120.0}
"""The first back-off if the venue names no time. Binance bans for two minutes at first, for three days in the end."""

LONGEST_SECONDS = {429: 320.0, BANNED: 3 * 86_400.0}
_BANNED_UNTIL = re.compile(r"banned until (\d{13})")


class VenueBan:
    """The time during which a venue must get no requests; doubles with each rejection until a request succeeds."""

    def __init__(self, clock: Clock) -> None:
        self.count = 0
        """How many requests the venue has rejected with 418 or 429."""
        self._clock = clock
        self._until = float("-inf")
        self._consecutive = 0

    @property
    def seconds(self) -> float:
        """How many seconds of the ban are left; 0 without one."""
        return max(0.0, self._until - self._clock.monotonic())

    def extend(self, seconds: float) -> None:
        """Make the ban last at least `seconds` from now; a shorter time never shortens it."""
        self._until = max(self._until, self._clock.monotonic() + seconds)

    def on_rejected(self, status: int, headers: Mapping[str, str], text: str = "") -> None:
        """Start or extend the ban after a 418 or 429: `headers` with names in lower case, `text` is the body."""
        if not self.seconds:
            # Rejections of requests that were in flight together count once.
            self._consecutive += 1
        self.count += 1
        now = self._clock.now()
        seconds = _retry_after(headers, now)
        if seconds is None:
            seconds = _banned_for(text, _sent_at(headers, now))
        self.extend(self._backoff_seconds(status) if seconds is None else seconds)

    def on_success(self) -> None:
        """Reset the doubling: the venue has answered a request."""
        if not self.seconds:
            self._consecutive = 0

    def _backoff_seconds(self, status: int) -> float:
        status = status if status in BAN_STATUSES else 429
        return float(min(LONGEST_SECONDS[status], FIRST_SECONDS[status] * 2 ** min(20, self._consecutive - 1)))


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds of `Retry-After`: a number, or a date by the sender's clock (RFC 9110, 10.2.3)."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit():
        return float(value)
    until = _parse_date(value)
    return None if until is None else max(0.0, (until - _sent_at(headers, now)).total_seconds())


def _banned_for(text: str, now: datetime) -> float | None:
    """Return the seconds of Binance's "IP banned until 1659146400000"."""
    found = _BANNED_UNTIL.search(text)
    return None if found is None else max(0.0, (from_milliseconds(int(found[1])) - now).total_seconds())


def _sent_at(headers: Mapping[str, str], now: datetime) -> datetime:
    return _parse_date(headers.get("date", "")) or now


def _parse_date(text: str) -> datetime | None:
    try:
        parsed = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)
