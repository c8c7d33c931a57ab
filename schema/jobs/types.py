"""Jobs, as they are now and at an event."""

from datetime import datetime

import strawberry

from domain.model import jobs as domain
from domain.model.jobs import JobStatus
from resolvers import jobs
from schema.common.node import Node, instance_of
from schema.common.pagination import connection
from schema.common.types import Info


@strawberry.type
class JobFacts:
    """The fields that a job and its state at an event have in common."""

    kind: str = strawberry.field(description="The kind of result that the job computes, such as report or backtest.")
    status: JobStatus = strawberry.field(description="The status of the job in its life.")
    progress: float = strawberry.field(description="The part of the job that is done, from 0 to 1.")
    message: str | None = strawberry.field(
        description="The status in words, such as why the job failed. Null if there is nothing to add."
    )
    created_at: datetime = strawberry.field(description="When the job was requested.")
    finished_at: datetime | None = strawberry.field(description="When the job ended. Null until then.")


@strawberry.type(description="A computation that continues after the request that started it.")
class Job(Node, JobFacts):
    is_type_of = instance_of(domain.Job)

    @strawberry.field(
        graphql_type=Node | None,
        description="The object that the job made, such as the report. Null until the job has succeeded.",
    )
    async def result(parent: strawberry.Parent[domain.Job], info: Info) -> object:
        return await jobs.job_result(info.context, parent)


JobConnection = connection(Job, "jobs")
