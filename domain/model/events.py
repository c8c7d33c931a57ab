"""The user's event log: one append-only sequence per user of everything that happened to what is theirs.

Sequence numbers are contiguous per user and assigned in the transaction of what happened. The bus only notifies that
the log has grown.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from domain.model.orders import OrderEvent
from domain.model.reports import Job, Report
from domain.model.trading import Account, Position, Signal, TradingSession
from domain.model.users import Activity


class UserEventKind(StrEnum):
    """What a user event is about."""

    ORDER = "ORDER"
    FILL = "FILL"
    POSITION = "POSITION"
    SIGNAL = "SIGNAL"
    TRADING_SESSION = "TRADING_SESSION"
    ACCOUNT = "ACCOUNT"
    JOB = "JOB"
    REPORT = "REPORT"
    ALERT = "ALERT"
    ACTIVITY = "ACTIVITY"


Subject = OrderEvent | Position | Signal | TradingSession | Account | Job | Report | Activity
"""What an event carries: the object as it was then."""


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


@dataclass(frozen=True, slots=True)
class EventCursor:
    """A place in a user's log: after the event `sequence`; 0 is the beginning.

    `at` is the time of that event, so that older partitions aren't read.
    """

    user_id: UUID
    sequence: int
    at: datetime


def events_topic(user_id: UUID) -> str:
    """Return the bus topic that notifies that the user's log has grown; the message is empty."""
    return f"events:{user_id}"
