"""The ports of time and of identifiers, so that a test can control both."""

from datetime import UTC, datetime
from typing import Protocol
from uuid import UUID


class Clock(Protocol):
    """The engine's time: `now` for timestamps, `monotonic` for durations and expiries."""

    def now(self) -> datetime:
        """Return the current time as an aware UTC datetime."""
        ...

    def monotonic(self) -> float:
        """Return seconds since an arbitrary start; never goes back."""
        ...


class IdGenerator(Protocol):
    """Generates identifiers that sort by their time of creation (UUID version 7, RFC 9562)."""

    def next_id(self) -> UUID:
        """Return a new identifier, greater than all that this generator returned before."""
        ...


def from_milliseconds(milliseconds: int) -> datetime:
    """Return the aware UTC datetime of milliseconds since 1970, exactly."""
    whole, rest = datetime.fromtimestamp(milliseconds // 1000, UTC), milliseconds % 1000
    return whole.replace(microsecond=rest * 1000) if rest else whole


def to_milliseconds(at: datetime) -> int:
    """Return whole milliseconds since 1970 of an aware datetime, rounded down, exactly."""
    return int(at.replace(microsecond=0).timestamp()) * 1000 + at.microsecond // 1000
