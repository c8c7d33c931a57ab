"""Schedules of reports, as they are now and at a report."""

from datetime import datetime
from decimal import Decimal

import strawberry

from domain.model import report_schedules as domain
from domain.model.report_schedules import ReportCadence, ReportScheduleStatus, Weekday
from resolvers import markets, reports
from resolvers import report_schedules as resolver
from schema.common.enums import describe_enum
from schema.common.node import Node, instance_of
from schema.common.pagination import connection
from schema.common.rounded import rounded_field
from schema.common.types import Info, lazy
from schema.notifications.types import NotificationChannel
from schema.reports.types import Report, ReportScope

describe_enum(
    ReportCadence,
    "How often a schedule makes a report.",
    {
        "DAILY": "Each day, about the day before.",
        "WEEKLY": "Each week, about the week from Monday to Sunday before.",
        "MONTHLY": "Each month, about the calendar month before.",
    },
)
describe_enum(Weekday, "A day of the week.", {day.value: f"{day.value.capitalize()}." for day in Weekday})
describe_enum(
    ReportScheduleStatus,
    "Whether a schedule makes reports.",
    {
        "ACTIVE": "It makes reports.",
        "DISABLED": "The user disabled it.",
        "ENDED": "What it reports on was archived or stopped, or is gone; `lastError` says which.",
    },
)

Parent = strawberry.Parent[domain.ReportSchedule]
Made = strawberry.Parent[domain.ScheduledReport]


@strawberry.type(
    description=(
        "A report that is made each day, week or month, by the time zone of the user, and sent through notification "
        "channels. Of each period there is one report."
    )
)
class ReportSchedule(Node):
    is_type_of = instance_of(domain.ReportSchedule)

    name: str = strawberry.field(description="The name that the user gave the schedule. Its messages begin with it.")
    cadence: ReportCadence = strawberry.field(description="How often a report is made.")
    hour: int = strawberry.field(description="The hour of the day at which a report is made, from 0 to 23.")
    weekday: Weekday | None = strawberry.field(
        description="The day of the week on which a WEEKLY report is made. Null for others."
    )
    day_of_month: int | None = strawberry.field(
        description="The day on which a MONTHLY report is made; in shorter months the last one. Null for others."
    )
    status: ReportScheduleStatus = strawberry.field(description="Whether the schedule makes reports.")
    created_at: datetime = strawberry.field(description="When the schedule was created.")
    last_run_at: datetime | None = strawberry.field(
        description="When the last report was requested. Null if none was yet."
    )
    left_out: int = strawberry.field(
        description=(
            "The number of periods just before the last report that have none, since no worker ran at their times, the "
            "plan refused them, or the user was disabled."
        )
    )
    last_error: str | None = strawberry.field(
        description=(
            "Why the last report didn't come, is late or reaches nobody, or why the schedule has ended. Null if all is "
            "well. Whether a channel delivers is in `channels`."
        )
    )
    last_error_at: datetime | None = strawberry.field(description="When that happened. Null if all is well.")

    @strawberry.field(
        graphql_type=datetime | None,
        description="When the next report is made, or one that was refused is tried again. Null if none will be.",
    )
    def next_run_at(parent: Parent) -> object:
        return resolver.next_run_at(parent)

    @strawberry.field(
        graphql_type=ReportScope | None,
        description="The object that the reports are about. Null if it can't be read.",
    )
    async def scope(parent: Parent, info: Info) -> object:
        return await reports.report_subject(info.context, parent)

    @strawberry.field(
        graphql_type=lazy("markets.types", "Market") | None,
        description="The market that the reports are compared with. Null for the one that was traded, if it is one.",
    )
    def benchmark(parent: Parent, info: Info) -> object:
        return None if parent.benchmark is None else markets.market(info.context, parent.benchmark)

    @strawberry.field(graphql_type=Report | None, description="The last report. Null if there is none yet.")
    async def last_report(parent: Parent, info: Info) -> object:
        return await resolver.last_report(info.context, parent)

    @strawberry.field(
        graphql_type=list[NotificationChannel] | None,
        description="The channels that deliver the reports. Empty if all do that take events of the kind REPORT.",
    )
    async def channels(parent: Parent, info: Info) -> object:
        return await resolver.channels(info.context, parent)


ReportScheduleConnection = connection(ReportSchedule, "schedules of reports")


@strawberry.type(description="That a scheduled report was ready, or had failed, as it was at that time.")
class ScheduledReportState:
    is_type_of = instance_of(domain.ScheduledReport)

    name: str = strawberry.field(description="The name of the schedule.")
    cadence: ReportCadence = strawberry.field(description="How often the schedule makes a report.")
    from_: datetime = strawberry.field(name="from", description="The start of the period, inclusive.")
    to: datetime = strawberry.field(description="The end of the period, exclusive.")
    left_out: int = strawberry.field(description="The number of periods just before this one that have no report.")
    currency: str | None = strawberry.field(description="The currency of the amounts. Null if the report failed.")
    net_profit: Decimal | None = rounded_field("The profit of the period. Null if the report failed.")
    net_profit_percent: float | None = strawberry.field(
        description="The time-weighted return in percent. Null if it isn't known, or the report failed."
    )
    error: str | None = strawberry.field(description="Why the report failed. Null if it didn't.")

    @strawberry.field(description="The id of the schedule.")
    def id(parent: Made) -> strawberry.ID:
        return strawberry.ID(resolver.schedule_id(parent))

    @strawberry.field(
        graphql_type=ReportSchedule | None, description="The schedule as it is now. Null if it was deleted."
    )
    async def schedule(parent: Made, info: Info) -> object:
        return await resolver.schedule_of(info.context, parent)

    @strawberry.field(graphql_type=Report | None, description="The report as it is now. Null if it is gone.")
    async def report(parent: Made, info: Info) -> object:
        return await resolver.report_of(info.context, parent)
