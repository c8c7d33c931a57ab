"""The inputs of the mutations of schedules of reports."""

from collections.abc import Sequence
from uuid import UUID

import strawberry

from domain.core.changes import Unchanged
from domain.model.markets import MarketSymbol
from domain.model.report_schedules import Recurrence, ReportCadence, Weekday
from domain.reports.schedule_requests import ScheduleChanges, ScheduleRequest
from schema.common.changes import change, replacement
from schema.common.node import decode_uuid
from schema.reports.inputs import ReportScopeInput

_HOUR = "The hour of the day by the user's time zone, from 0 to 23."


@strawberry.input(description="A report each day, about the day before.")
class DailyReportInput:
    hour: int = strawberry.field(description=_HOUR)

    def to_domain(self) -> Recurrence:
        return Recurrence(ReportCadence.DAILY, self.hour)


@strawberry.input(description="A report each week, about the week from Monday to Sunday before.")
class WeeklyReportInput:
    weekday: Weekday = strawberry.field(description="The day on which the report is made.")
    hour: int = strawberry.field(description=_HOUR)

    def to_domain(self) -> Recurrence:
        return Recurrence(ReportCadence.WEEKLY, self.hour, weekday=self.weekday)


@strawberry.input(description="A report each month, about the calendar month before.")
class MonthlyReportInput:
    day_of_month: int = strawberry.field(
        description="The day on which the report is made, from 1 to 31. In shorter months the last day counts."
    )
    hour: int = strawberry.field(description=_HOUR)

    def to_domain(self) -> Recurrence:
        return Recurrence(ReportCadence.MONTHLY, self.hour, day_of_month=self.day_of_month)


@strawberry.input(one_of=True, description="When reports are made, and of which periods. Give exactly one field.")
class ReportRecurrenceInput:
    daily: DailyReportInput | None = strawberry.field(default=strawberry.UNSET, description="Each day.")
    weekly: WeeklyReportInput | None = strawberry.field(default=strawberry.UNSET, description="Each week.")
    monthly: MonthlyReportInput | None = strawberry.field(default=strawberry.UNSET, description="Each month.")

    def to_domain(self) -> Recurrence:
        (chosen,) = (choice for choice in (self.daily, self.weekly, self.monthly) if choice)
        return chosen.to_domain()


@strawberry.input(description="The schedule of reports to create.")
class ReportScheduleCreateInput:
    name: str = strawberry.field(
        description="The name of the schedule, of 1 to 100 printable characters. Its messages begin with it."
    )
    scope: ReportScopeInput = strawberry.field(
        description="The object that the reports are about. A backtest is refused with UNSUPPORTED: it never changes."
    )
    recurrence: ReportRecurrenceInput = strawberry.field(description="When reports are made, and of which periods.")
    channels: list[strawberry.ID] | None = strawberry.field(
        default=None,
        description=(
            "The ids of the channels that deliver the reports. By default all that take events of the kind REPORT."
        ),
    )
    benchmark: MarketSymbol | None = strawberry.field(
        default=None,
        description="The market to compare with. The default is the market that was traded, if it is just one.",
    )
    idempotency_key: str | None = strawberry.field(
        default=None,
        description=(
            "The key makes it safe to repeat the request: the same key with the same input returns the schedule of the "
            "first request. At most 128 characters."
        ),
    )

    def to_domain(self, user_id: UUID) -> ScheduleRequest:
        scope, scope_id = self.scope.to_domain(user_id)
        return ScheduleRequest(
            self.name, scope, scope_id, self.recurrence.to_domain(), _channels(self.channels), self.benchmark
        )


@strawberry.input(description="The changes of a schedule of reports. A field that isn't given keeps its value.")
class ReportScheduleUpdateInput:
    name: str | None = strawberry.field(
        default=strawberry.UNSET, description="The new name, of 1 to 100 printable characters. It can't be null."
    )
    recurrence: ReportRecurrenceInput | None = strawberry.field(
        default=strawberry.UNSET, description="When reports are made from now on. It can't be null."
    )
    channels: list[strawberry.ID] | None = strawberry.field(
        default=strawberry.UNSET,
        description="The ids of the channels that deliver the reports. Null or empty for all that take reports.",
    )
    benchmark: MarketSymbol | None = strawberry.field(
        default=strawberry.UNSET,
        description="The market to compare with. Null for the market that was traded, if it is just one.",
    )
    enabled: bool | None = strawberry.field(
        default=strawberry.UNSET,
        description="False to disable the schedule, true to enable it again. It can't be null.",
    )

    def to_domain(self) -> ScheduleChanges:
        channels = change(self.channels)
        return ScheduleChanges(
            change(self.name),
            replacement(self.recurrence),
            channels if isinstance(channels, Unchanged) else _channels(channels),
            change(self.benchmark),
            change(self.enabled),
        )


def _channels(ids: Sequence[strawberry.ID] | None) -> tuple[UUID, ...]:
    return tuple(decode_uuid(one, "NotificationChannel", ("input", "channels")) for one in ids or ())
