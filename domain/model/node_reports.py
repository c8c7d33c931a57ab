"""What each node of the engine reports about itself, for operators."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.model.markets import FeedState

REPORT_EVERY_SECONDS: Final = 5.0
LOST_AFTER: Final = timedelta(seconds=20)
"""A node that hasn't reported for so long is likely dead, or cut off from the database."""


@dataclass(frozen=True, slots=True)
class ReportedFeed:
    """The feed of a market that the node collects, named as `venue:BASE/QUOTE`."""

    market: str
    state: FeedState
    since: datetime


@dataclass(frozen=True, slots=True)
class LoggedError:
    """An error in the node's log, without the fields and the traceback that the log has."""

    at: datetime
    logger: str
    message: str


@dataclass(frozen=True, slots=True)
class NodeReport:
    """A node as it reported itself last; `pending` is what it waits for, `errors` the newest of its log.

    `error_count` and `warning_count` are those since the node started. `connections` are open sockets and streams.
    """

    name: str
    version: str
    roles: tuple[str, ...]
    started_at: datetime
    pending: tuple[str, ...] = ()
    connections: int = 0
    error_count: int = 0
    warning_count: int = 0
    feeds: tuple[ReportedFeed, ...] = ()
    errors: tuple[LoggedError, ...] = ()


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node's last report, when it was stored by the database's clock, and whether the next one is overdue."""

    report: NodeReport
    seen_at: datetime
    is_lost: bool

    @property
    def feeds(self) -> tuple[ReportedFeed, ...]:
        """The feeds that it collects; none if it is lost, since another node has them then, or will soon."""
        return () if self.is_lost else self.report.feeds
