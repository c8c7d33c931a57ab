"""What each node of the engine reports about itself, for operators."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from domain.model.markets import FeedState

REPORT_EVERY_SECONDS: Final = 2.0
"""As often as leases are renewed."""
LOST_AFTER: Final = timedelta(seconds=20)
"""A node that hasn't reported for so long is likely dead, or cut off from the database."""


class NodeStatus(StrEnum):
    """How far a node is."""

    STARTING = "STARTING"
    READY = "READY"
    WAITING = "WAITING"
    DRAINING = "DRAINING"


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
    `event_loop_lag_seconds` is the longest time since the report before for which something that was due had to wait,
    `cpu_share` how much of one processor core the process used meanwhile, 1.0 being all of it. `venues` are those of
    its settings, and `balances_work` is whether it gives leases back of which it has more than others. Fields that a
    version has added have defaults, so that nodes of both versions can read each other's reports.
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
    has_been_ready: bool = True
    is_draining: bool = False
    event_loop_lag_seconds: float = 0.0
    cpu_share: float = 0.0
    venues: tuple[str, ...] = ()
    balances_work: bool = False


@dataclass(frozen=True, slots=True)
class NodeState:
    """A node's last report, when it was stored by the database's clock, and whether the next one is overdue.

    What it holds is counted at the moment of the reading: `leases` by their kind, such as `account`, the live trading
    sessions of these accounts, and the jobs that it computes. `is_drain_requested` is whether it was asked to drain.
    """

    report: NodeReport
    seen_at: datetime
    is_lost: bool
    leases: Mapping[str, int] = field(default_factory=dict)
    trading_sessions: int = 0
    running_jobs: int = 0
    is_drain_requested: bool = False

    @property
    def status(self) -> NodeStatus:
        """How far it is, by its last report and what it was asked since."""
        report = self.report
        if report.is_draining or self.is_drain_requested:
            return NodeStatus.DRAINING
        if not report.pending:
            return NodeStatus.READY
        return NodeStatus.WAITING if report.has_been_ready else NodeStatus.STARTING

    @property
    def feeds(self) -> tuple[ReportedFeed, ...]:
        """The feeds that it collects; none if it is lost, since another node has them then, or will soon."""
        return () if self.is_lost else self.report.feeds
