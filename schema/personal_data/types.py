"""Exports of a user's data."""

from datetime import datetime

import strawberry

from domain.model import data_exports as domain
from resolvers import data_exports
from schema.common.node import Node, instance_of
from schema.common.scalars import Sequence
from schema.common.types import Info
from schema.jobs.types import Job

Parent = strawberry.Parent[domain.DataExport]


@strawberry.type(
    description="An export of all that the engine stores about the user: a zip archive with a file of JSON lines for "
    "each kind of data. It has no passwords, secrets or hashes of them."
)
class DataExport(Node):
    is_type_of = instance_of(domain.DataExport)

    created_at: datetime = strawberry.field(description="When the export was requested.")
    expires_at: datetime = strawberry.field(description="When the export is deleted. A new export deletes it earlier.")

    @strawberry.field(graphql_type=Job | None, description="The job that makes the export.")
    async def job(parent: Parent, info: Info) -> object:
        return await data_exports.job(info.context, parent)

    @strawberry.field(
        graphql_type=Sequence | None, description="The size of the archive in bytes. Null until the job has succeeded."
    )
    async def size_bytes(parent: Parent, info: Info) -> object:
        return await data_exports.size_bytes(info.context, parent)

    @strawberry.field(
        graphql_type=str | None,
        description="The path of a link to the archive, to be fetched by GET from the address of the API, without "
        "credentials. It is valid for ten minutes; each request makes a new one. Null until the job has succeeded, "
        "and for an API key.",
    )
    async def path(parent: Parent, info: Info) -> object:
        return await data_exports.path(info.context, parent)
