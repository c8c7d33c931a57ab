"""Checks of the times that a request names: periods and expiries. The time zones of users."""

from datetime import UTC, datetime, tzinfo
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.core.errors import FaultCode, RequestFault

LATEST_EXPIRY: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""Later than anybody needs, and far from the last moment of Python's calendar, which asyncpg stores as infinity."""


def validate_time_range(start: datetime | None, end: datetime | None) -> None:
    """Raise `RequestFault` (INVALID) if a period ends before it begins; without `end` it is open.

    `start` belongs to the period, `end` does not.
    """
    if start is not None and end is not None and start >= end:
        raise RequestFault(FaultCode.INVALID, "`from` must be before `to`.")


def expiry_error(expires_at: datetime, now: datetime) -> str | None:
    """Return the end of a message that begins with the name of an expiry; None if it is valid."""
    if expires_at <= now:
        return f"is {expires_at:%Y-%m-%dT%H:%M:%SZ}, which has passed; it must be in the future"
    if expires_at >= LATEST_EXPIRY:
        return f"is {expires_at:%Y-%m-%dT%H:%M:%SZ}; it must be before {LATEST_EXPIRY:%Y-%m-%d}, or be left out"
    return None


def zone_of(name: str) -> tzinfo:
    """Return the time zone of a user by its name; UTC if the database of this machine doesn't know it (any more)."""
    try:
        return ZoneInfo(name)
    except ZoneInfoNotFoundError:
        return UTC
