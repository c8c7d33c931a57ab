"""Jobs."""

from collections.abc import Sequence
from uuid import UUID

from domain.core.pagination import CursorScope, Page
from domain.model.jobs import Job, JobStatus
from domain.model.users import ApiScope, User
from domain.ports.lists import JobFilter
from resolvers.context import RequestContext
from resolvers.filters import filter_values
from resolvers.lists import TimeOrder, list_page, owned_by
from resolvers.pagination import PageArguments


async def jobs(
    context: RequestContext,
    user: User,
    page: PageArguments,
    status: Sequence[JobStatus] | None,
    order: TimeOrder = TimeOrder.NEWEST_FIRST,
) -> Page[Job]:
    """Return a page of the user's jobs."""
    scope, selected = CursorScope("jobs", str(user.id)), JobFilter(filter_values(status))
    return await list_page(context.lists.jobs, scope, owned_by(user, selected), page, order)


async def job_result(context: RequestContext, job: Job) -> object | None:
    """Return the result of the job; None until it has succeeded."""
    if job.status is not JobStatus.SUCCEEDED or job.result_type is None:
        return None
    loader = context.node_loaders.get(job.result_type)
    return await loader(str(job.result_id)) if loader else None


async def has_succeeded(context: RequestContext, job_id: UUID) -> bool:
    """Tell whether the job has succeeded, as the same request sees its status.

    A result must be read after its job: read before it, the result could be missing beside a status of SUCCEEDED.
    """
    job = await context.loaders.jobs.load(job_id)
    return job is not None and job.status is JobStatus.SUCCEEDED


async def cancel(context: RequestContext, job_id: UUID) -> Job:
    """Cancel a job of the user; raises NOT_FOUND."""
    user = context.require_user(ApiScope.READ)
    return await context.services.jobs.cancel(user.id, job_id)
