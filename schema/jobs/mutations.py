"""Cancelling jobs."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import jobs
from schema.common.mutations import Fields, Payload, mutation
from schema.common.node import decode_uuid
from schema.common.types import Info
from schema.jobs.types import Job


@strawberry.type(description="The result of `jobCancel`.")
class JobCancelPayload(Payload):
    job: Job | None = strawberry.field(description="The job, which has ended. Null if there are errors.")


@strawberry.type
class JobMutation:
    @mutation(
        JobCancelPayload,
        scope=ApiScope.READ,
        description=(
            "Cancel a job that waits or runs. It has no result then. A job that has ended already is returned as it "
            "is, so the request is safe to repeat."
        ),
    )
    async def job_cancel(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the job.")]
    ) -> Fields:
        return {"job": await jobs.cancel(info.context, decode_uuid(id, "Job", ("id",)))}
