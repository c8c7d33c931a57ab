"""Where time and identity come from, so that a test can own both."""

from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID


class Clock(Protocol):
    """The engine's time: `now` to stamp and to show, `monotonic` to measure and to expire."""

    def now(self) -> datetime:
        """Return the present as an aware UTC datetime."""
        ...

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start; never goes back."""
        ...


class IdGenerator(Protocol):
    """A source of identifiers that sort by the time of their making (UUID version 7, RFC 9562)."""

    def next_id(self) -> UUID:
        """Return a fresh identifier, greater than all that this source made before."""
        ...


def from_milliseconds(milliseconds: int) -> datetime:
    """Return the aware UTC datetime of a count of milliseconds since 1970, exactly."""
    seconds, rest = divmod(milliseconds, 1000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest * 1000)


def to_milliseconds(at: datetime) -> int:
    """Return whole milliseconds since 1970 of an aware datetime, rounded down, exactly."""
    return int(at.replace(microsecond=0).timestamp()) * 1000 + at.microsecond // 1000
