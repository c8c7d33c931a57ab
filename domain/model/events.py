"""The user's event log: one append-only sequence per user of everything that happened to what is theirs.

A sequence number is given in the transaction of what happened, contiguous per user. The bus only says that there is
news; the log is the truth.
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
"""What an event carries: the object as it stood then."""


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event before it has its place in the log. An `OrderEvent` goes in as ORDER, or FILL where it has a fill."""

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
    """A place in a user's log: the last event that was seen. Sequence 0 is the beginning.

    It carries the time of that event, so that old partitions aren't read.
    """

    user_id: UUID
    sequence: int
    at: datetime


def events_topic(user_id: UUID) -> str:
    """Return the bus topic that tells of news in the user's log; the message is empty."""
    return f"events:{user_id}"
