"""The field of the query root that is for operators."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.model.administration import UserFilter
from domain.model.users import UserRole, UserStatus
from resolvers import administration
from resolvers.lists import TimeOrder
from resolvers.pagination import PageArguments
from schema.administration.overview import LostArchiveFile, Overview
from schema.administration.report import OperatorReport
from schema.administration.types import ManagedUser, ManagedUserConnection
from schema.common.arguments import OrderBy, connection_field
from schema.common.types import Info


def user_filter(
    email: Annotated[
        str | None,
        strawberry.argument(description="Only users whose email address contains this text. Case doesn't matter."),
    ] = None,
    role: Annotated[UserRole | None, strawberry.argument(description="Only users with this role.")] = None,
    status: Annotated[
        UserStatus | None, strawberry.argument(description="Only users who are disabled, or only those who aren't.")
    ] = None,
    plan: Annotated[str | None, strawberry.argument(description="Only users who have the plan with this name.")] = None,
) -> UserFilter:
    """The filter of the list of users."""
    return UserFilter(email.strip().lower() if email else None, role, status, plan)


@strawberry.type(description="What operators see of the engine and its users.")
class Administration:
    @connection_field(
        ManagedUserConnection | None,
        description="All users of the engine. Users who were erased aren't included.",
        filter=user_filter,
    )
    async def users(
        self, info: Info, page: PageArguments, filter: UserFilter, order_by: OrderBy = TimeOrder.NEWEST_FIRST
    ) -> object:
        return await administration.users(info.context, page, filter, order_by)

    @strawberry.field(graphql_type=Overview | None, description="How the engine is doing, over all users and nodes.")
    async def overview(self, info: Info) -> object:
        return await administration.overview(info.context)

    @strawberry.field(
        graphql_type=list[LostArchiveFile] | None,
        description="The last 100 files of the archive that somebody gave up because they were absent or damaged for "
        "good, the newest first. The users whose events they had see it in their activity.",
    )
    async def lost_archive_files(self, info: Info) -> object:
        return await administration.lost_archive_files(info.context)

    @strawberry.field(
        graphql_type=OperatorReport | None,
        description=(
            "What happened in a period, over all users. The period is of 1 to 92 whole days (UTC): all that it touches."
        ),
    )
    async def report(
        self,
        info: Info,
        from_: Annotated[
            datetime | None,
            strawberry.argument(name="from", description="The start. By default 30 days before the end."),
        ] = None,
        to: Annotated[
            datetime | None, strawberry.argument(description="The end, exclusive. By default the beginning of today.")
        ] = None,
    ) -> object:
        return await administration.report(info.context, from_, to)

    @strawberry.field(
        graphql_type=ManagedUser | None, description="The user with this email address. Null if there is none."
    )
    async def user(
        self,
        info: Info,
        email: Annotated[str, strawberry.argument(description="The whole email address. Case doesn't matter.")],
    ) -> object:
        return await administration.user(info.context, email)


@strawberry.type
class AdministrationQuery:
    @strawberry.field(
        graphql_type=Administration | None,
        description="What operators see of the engine and its users. It needs the scope ADMIN. Everybody else receives "
        "the error FORBIDDEN.",
    )
    async def administration(self, info: Info) -> object:
        return await administration.administration(info.context)
