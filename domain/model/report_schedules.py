"""Schedules of reports, and the reports that they made, as the user's log and channels show them."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from uuid import UUID

from domain.model.markets import MarketSymbol
from domain.model.reports import ReportScope


class ReportCadence(StrEnum):
    """How often a schedule makes a report: of each day, each week from Monday on, or each calendar month."""

    DAILY = "DAILY"
    WEEKLY = "WEEKLY"
    MONTHLY = "MONTHLY"


class Weekday(StrEnum):
    """A day of the week, in the order of ISO 8601."""

    MONDAY = "MONDAY"
    TUESDAY = "TUESDAY"
    WEDNESDAY = "WEDNESDAY"
    THURSDAY = "THURSDAY"
    FRIDAY = "FRIDAY"
    SATURDAY = "SATURDAY"
    SUNDAY = "SUNDAY"


class ReportScheduleStatus(StrEnum):
    """Whether a schedule makes reports; one whose subject is over has ENDED."""

    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"
    ENDED = "ENDED"


@dataclass(frozen=True, slots=True)
class Recurrence:
    """When reports are made, by the clock on the user's wall.

    `weekday` belongs to WEEKLY alone and `day_of_month` to MONTHLY alone; in shorter months the last day counts.
    """

    cadence: ReportCadence
    hour: int
    weekday: Weekday | None = None
    day_of_month: int | None = None


@dataclass(frozen=True, slots=True)
class ReportSchedule:
    """That a user gets a report of each day, week or month through notification channels.

    The next report is due at `due_at`; after a refusal it is tried again at `retry_at`. `is_open` says that the job of
    the last report has yet to end. `left_out` counts the periods before the last report that have none, since no worker
    ran at their times. Without `channel_ids` all channels that take reports get it.
    """

    id: UUID
    user_id: UUID
    name: str
    scope: ReportScope
    scope_id: UUID
    cadence: ReportCadence
    hour: int
    weekday: Weekday | None
    day_of_month: int | None
    status: ReportScheduleStatus
    created_at: datetime
    due_at: datetime
    channel_ids: tuple[UUID, ...] = ()
    benchmark: MarketSymbol | None = None
    retry_at: datetime | None = None
    last_run_at: datetime | None = None
    last_report_id: UUID | None = None
    is_open: bool = False
    left_out: int = 0
    last_error: str | None = None
    last_error_at: datetime | None = None

    @property
    def recurrence(self) -> Recurrence:
        """When its reports are made."""
        return Recurrence(self.cadence, self.hour, self.weekday, self.day_of_month)


@dataclass(frozen=True, slots=True)
class ScheduledReport:
    """A report of a schedule, whose id it has, when it was ready or had failed.

    `period` is its first local day. The figures are those of its summary; they are None for one that failed, which has
    an `error`. `page_id` is that of the file with its page.
    """

    id: UUID
    user_id: UUID
    report_id: UUID
    name: str
    cadence: ReportCadence
    scope: ReportScope
    from_: datetime
    to: datetime
    period: str
    left_out: int = 0
    channel_ids: tuple[UUID, ...] = ()
    currency: str | None = None
    net_profit: Decimal | None = None
    net_profit_percent: float | None = None
    end_equity: Decimal | None = None
    max_drawdown_percent: float | None = None
    round_trips: int | None = None
    fees: Decimal | None = None
    page_id: UUID | None = None
    error: str | None = None
