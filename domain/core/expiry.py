"""How far ahead something may be told to end."""

from datetime import UTC, datetime
from typing import Final

LATEST_EXPIRY: Final = datetime(2200, 1, 1, tzinfo=UTC)
"""A bound that nobody misses: PostgreSQL's driver takes the last moment of Python's calendar for infinity."""


def expiry_error(expires_at: datetime, now: datetime) -> str | None:
    """Return what is wrong with a time of expiry, for a message that begins with its name; None where it is good."""
    if expires_at <= now:
        return f"is {expires_at:%Y-%m-%dT%H:%M:%SZ}, which has passed; it must be in the future"
    if expires_at >= LATEST_EXPIRY:
        return f"is {expires_at:%Y-%m-%dT%H:%M:%SZ}; it must be before {LATEST_EXPIRY:%Y-%m-%d}, or be left out"
    return None
