"""Exporting all that is stored about a user."""

import strawberry

from domain.model.users import ApiScope
from resolvers import data_exports
from schema.common.mutations import Fields, Payload, mutation
from schema.common.types import Info
from schema.personal_data.types import DataExport


@strawberry.type(description="The result of `userDataExport`.")
class UserDataExportPayload(Payload):
    data_export: DataExport | None = strawberry.field(description="The new export. Null if there are errors.")


@strawberry.type
class DataExportMutation:
    @mutation(
        UserDataExportPayload,
        scope=ApiScope.ADMIN,
        description="Export all that the engine stores about the user, as a job. The user's earlier export is deleted. "
        "CONFLICT while that one is being made. It requires a login session with a recent sign-in: otherwise the "
        "error is CONFIRMATION_REQUIRED, or FORBIDDEN for an API key.",
    )
    async def user_data_export(self, info: Info) -> Fields:
        return {"data_export": await data_exports.request(info.context)}
