"""Requesting reports."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import reports
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.types import Info
from schema.reports.inputs import ReportGenerateInput
from schema.reports.types import Report


@strawberry.type(description="The result of `reportGenerate`.")
class ReportGeneratePayload(Payload):
    report: Report | None = strawberry.field(description="The report. Null if there are errors.")


@strawberry.type
class ReportMutation:
    @mutation(
        ReportGeneratePayload,
        scope=ApiScope.READ,
        description=(
            "Start to compute a report. `Report.job` shows its progress. `Plan.maxOpenJobs` jobs of a user can "
            "wait or run at the same time."
        ),
    )
    async def report_generate(self, info: Info, input: Annotated[ReportGenerateInput, INPUT]) -> Fields:
        report = await reports.generate(
            info.context, input.to_domain(info.context.require_user(ApiScope.READ).id), input.idempotency_key
        )
        return {"report": report}
