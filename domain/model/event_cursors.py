"""Cursors of the event log as opaque text."""

from uuid import UUID

from domain.core.clock import from_milliseconds, to_milliseconds
from domain.core.pagination import CursorScope, decode_cursor, encode_cursor, invalid_cursor
from domain.model.events import EventCursor


def encode_event_cursor(cursor: EventCursor) -> str:
    """Return the cursor as opaque text that is valid for this user only."""
    # Rounded down, so that no partition is left out that has the event itself.
    return encode_cursor(_scope(cursor.user_id), (str(cursor.sequence), str(to_milliseconds(cursor.at))))


def decode_event_cursor(text: str, user_id: UUID) -> EventCursor:
    """Return the cursor; raise `RequestFault` (INVALID) if it is malformed or another user's."""
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
