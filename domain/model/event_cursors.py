"""Cursors of the event log as opaque text."""

from uuid import UUID

from domain.core.clock import from_milliseconds, to_milliseconds
from domain.core.pagination import CursorScope, decode_cursor, encode_cursor, invalid_cursor
from domain.model.events import EventCursor


def encode_event_cursor(cursor: EventCursor) -> str:
    """Return the cursor as text that is good for this user alone."""
    # Rounded down, so that the event itself is never before the time that bounds the partitions to read.
    return encode_cursor(_scope(cursor.user_id), (str(cursor.sequence), str(to_milliseconds(cursor.at))))


def decode_event_cursor(text: str, user_id: UUID) -> EventCursor:
    """Return the place that the text stands for; raise `RequestFault` (INVALID) where it isn't this user's."""
    key = decode_cursor(_scope(user_id), text)
    try:
        sequence, milliseconds = (int(part) for part in key)
        if sequence < 0 or milliseconds < 0:
            raise invalid_cursor()
        return EventCursor(user_id, sequence, from_milliseconds(milliseconds))
    except (ValueError, OverflowError, OSError):
        raise invalid_cursor() from None


def _scope(user_id: UUID) -> CursorScope:
    return CursorScope("events", str(user_id))
