"""How long a venue that has answered 418 or 429 is to be left alone."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from domain.core.clock import Clock, from_milliseconds

BANNED = 418
TOO_MANY = frozenset({BANNED, 429})
FIRST_SECONDS = {429: 10.0, BANNED: 120.0}
"""Without a word of the venue. Binance bans for two minutes at first, and for three days in the end."""

LONGEST_SECONDS = {429: 320.0, BANNED: 3 * 86_400.0}
_BANNED_UNTIL = re.compile(r"banned until (\d{13})")


class VenueBan:
    """Grows with every time that it was asked for without a good answer in between, where the venue names no time."""

    def __init__(self, clock: Clock) -> None:
        self.asked_for = 0
        self._clock = clock
        self._until = float("-inf")
        self._in_a_row = 0

    @property
    def seconds(self) -> float:
        """How long the venue still wants to be left alone; 0 where it doesn't."""
        return max(0.0, self._until - self._clock.monotonic())

    def keep(self, seconds: float) -> None:
        """Be silent for at least so long; a shorter word never ends a longer one."""
        self._until = max(self._until, self._clock.monotonic() + seconds)

    def asked(self, status: int, headers: Mapping[str, str], text: str = "") -> None:
        """Take a 418 or 429: `headers` with names in lower case, `text` is what the venue said."""
        if not self.seconds:
            # Answers to calls that were under way together are one time.
            self._in_a_row += 1
        self.asked_for += 1
        told = _retry_after(headers, self._clock.now())
        if told is None:
            told = _banned_for(text, _said_at(headers, self._clock.now()))
        self.keep(self._grown(status) if told is None else told)

    def answered(self) -> None:
        """Take a good answer: the venue is content."""
        if not self.seconds:
            self._in_a_row = 0

    def _grown(self, status: int) -> float:
        kind = status if status in TOO_MANY else 429
        return float(min(LONGEST_SECONDS[kind], FIRST_SECONDS[kind] * 2 ** min(20, self._in_a_row - 1)))


def _retry_after(headers: Mapping[str, str], now: datetime) -> float | None:
    """Return the seconds of `Retry-After`: a number, or a date by the sender's clock (RFC 9110, 10.2.3)."""
    told = headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return float(told)
    until = _date(told)
    return None if until is None else max(0.0, (until - _said_at(headers, now)).total_seconds())


def _banned_for(text: str, now: datetime) -> float | None:
    """Return the seconds of Binance's "IP banned until 1659146400000"."""
    found = _BANNED_UNTIL.search(text)
    return None if found is None else max(0.0, (from_milliseconds(int(found[1])) - now).total_seconds())


def _said_at(headers: Mapping[str, str], now: datetime) -> datetime:
    return _date(headers.get("date", "")) or now


def _date(text: str) -> datetime | None:
    try:
        told = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    return told if told.tzinfo is not None else told.replace(tzinfo=UTC)
