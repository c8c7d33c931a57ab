"""Creating, changing and deleting schedules of reports."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import report_schedules
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.node import decode_uuid
from schema.common.types import Info
from schema.reports.schedule_inputs import ReportScheduleCreateInput, ReportScheduleUpdateInput
from schema.reports.schedules import ReportSchedule

ScheduleId = Annotated[strawberry.ID, strawberry.argument(description="The id of the schedule.")]


@strawberry.type(description="The result of `reportScheduleCreate`.")
class ReportScheduleCreatePayload(Payload):
    report_schedule: ReportSchedule | None = strawberry.field(description="The new schedule. Null if there are errors.")


@strawberry.type(description="The result of `reportScheduleUpdate`.")
class ReportScheduleUpdatePayload(Payload):
    report_schedule: ReportSchedule | None = strawberry.field(
        description="The schedule after the change. Null if there are errors."
    )


@strawberry.type(description="The result of `reportScheduleDelete`.")
class ReportScheduleDeletePayload(Payload):
    deleted_id: strawberry.ID | None = strawberry.field(
        description="The id of the deleted schedule. Null if there are errors."
    )


@strawberry.type
class ReportScheduleMutation:
    @mutation(
        ReportScheduleCreatePayload,
        scope=ApiScope.TRADE,
        description=(
            "Create a schedule of reports. Its first report is made at the next of its times. The user's plan limits "
            "the number of schedules: see `Plan.maxReportSchedules`. Each report counts as a job like any other."
        ),
    )
    async def report_schedule_create(self, info: Info, input: Annotated[ReportScheduleCreateInput, INPUT]) -> Fields:
        request = input.to_domain(info.context.require_user(ApiScope.TRADE).id)
        return {"report_schedule": await report_schedules.create(info.context, request, input.idempotency_key)}

    @mutation(
        ReportScheduleUpdatePayload,
        scope=ApiScope.TRADE,
        description=(
            "Change a schedule of reports, disable it or enable it again. Times that passed while it was disabled have "
            "no report."
        ),
    )
    async def report_schedule_update(
        self, info: Info, id: ScheduleId, input: Annotated[ReportScheduleUpdateInput, INPUT]
    ) -> Fields:
        schedule_id = decode_uuid(id, "ReportSchedule", ("id",))
        return {"report_schedule": await report_schedules.update(info.context, schedule_id, input.to_domain())}

    @mutation(
        ReportScheduleDeletePayload,
        scope=ApiScope.TRADE,
        description="Delete a schedule of reports, at once. The reports that it made stay.",
    )
    async def report_schedule_delete(self, info: Info, id: ScheduleId) -> Fields:
        await report_schedules.delete(info.context, decode_uuid(id, "ReportSchedule", ("id",)))
        return {"deleted_id": id}
