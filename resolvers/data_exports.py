"""Exports of all that is stored about the user."""

from typing import Final

from domain.model.data_exports import DataExport
from domain.model.users import ApiScope, User
from resolvers.context import RequestContext
from resolvers.jobs import has_succeeded

EXPORT_PATH: Final = "/exports/"


async def request(context: RequestContext) -> DataExport:
    """Have the user's data exported."""
    return await context.services.data_exports.request(context.require(ApiScope.ADMIN))


async def latest(context: RequestContext, user: User) -> DataExport | None:
    """Return the user's newest export."""
    async with context.services.database.read_only() as reading:
        return await reading.data_exports.latest(user.id)


async def job(context: RequestContext, export: DataExport) -> object:
    """Return the job of the export."""
    return await context.loaders.jobs.load(export.job_id)


async def size_bytes(context: RequestContext, export: DataExport) -> int | None:
    """Return the size of the complete archive; None until the job has succeeded."""
    complete = await _complete(context, export)
    return None if complete is None else complete.size_bytes


async def path(context: RequestContext, export: DataExport) -> str | None:
    """Return the path of a link that is good for a short time; None until the job has succeeded.

    No API key may fetch everything.
    """
    is_signed_in = context.identity is not None and context.identity.is_login_session
    complete = await _complete(context, export) if is_signed_in else None
    if complete is None:
        return None
    return f"{EXPORT_PATH}{context.services.data_exports.link(complete)}"


async def _complete(context: RequestContext, export: DataExport) -> DataExport | None:
    if not await has_succeeded(context, export.job_id):
        return None
    async with context.services.database.read_only() as reading:
        return await reading.data_exports.get(export.user_id, export.id)
