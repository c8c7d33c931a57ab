"""The user's event log: one append-only sequence per user of everything that happened to what is theirs.

Sequence numbers are contiguous per user and assigned in the transaction of what happened; only where a database was
restored to an earlier moment do they go on a round number later. The bus only notifies that the log has grown.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from domain.core.clock import from_milliseconds, to_milliseconds
from domain.core.pagination import CursorScope, decode_cursor, encode_cursor, invalid_cursor
from domain.model.alerts import FiredAlert
from domain.model.jobs import Job
from domain.model.orders import OrderEvent
from domain.model.report_schedules import ScheduledReport
from domain.model.reports import Report
from domain.model.trading import Account, Position, Signal, TradingSession
from domain.model.trading_state import Halt
from domain.model.users import Activity

SEQUENCES_SKIPPED: Final = 1_000_000_000
"""A log goes on this, or a multiple, later in a restored database: more events than a user can have had since.

A cursor from the forgotten time lies in between, and is refused.
"""


class UserEventKind(StrEnum):
    """What a user event is about."""

    ORDER = "ORDER"
    FILL = "FILL"
    POSITION = "POSITION"
    SIGNAL = "SIGNAL"
    TRADING_SESSION = "TRADING_SESSION"
    ACCOUNT = "ACCOUNT"
    HALT = "HALT"
    JOB = "JOB"
    REPORT = "REPORT"
    ALERT = "ALERT"
    ACTIVITY = "ACTIVITY"


Subject = (
    OrderEvent
    | Position
    | Signal
    | TradingSession
    | Account
    | Halt
    | Job
    | Report
    | ScheduledReport
    | Activity
    | FiredAlert
)
"""What an event carries: the object as it was when the event happened."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event without its sequence number. The kind of an `OrderEvent` is FILL if it has a fill, else ORDER."""

    user_id: UUID
    at: datetime
    kind: UserEventKind
    subject: Subject | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class UserEvent:
    """An event of the log; `sequence` starts at 1."""

    user_id: UUID
    sequence: int
    at: datetime
    kind: UserEventKind
    subject: Subject | None
    message: str | None


def is_next_sequence(sequence: int, previous: int) -> bool:
    """Return whether no event is missing between the two: one follows the other, or the database was restored there."""
    return sequence > previous and (sequence - previous - 1) % SEQUENCES_SKIPPED == 0


@dataclass(frozen=True, slots=True)
class EventCursor:
    """A place in a user's log: after the event `sequence`; 0 is the beginning.

    `at` is the time of that event, so that older partitions aren't read.
    """

    user_id: UUID
    sequence: int
    at: datetime


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


def events_topic(user_id: UUID) -> str:
    """Return the bus topic that notifies that the user's log has grown; see `domain.events.notices`."""
    return f"events:{user_id}"
