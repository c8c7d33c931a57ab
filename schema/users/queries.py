"""The viewer, in the query root."""

import strawberry

from resolvers import users
from schema.common.types import Info
from schema.users.types import User


@strawberry.type
class UserQuery:
    @strawberry.field(
        graphql_type=User | None,
        description=(
            "The user who makes the request. Null if the caller isn't signed in. All private data is below this "
            "field, so that an expired token affects only this part of a query."
        ),
    )
    async def viewer(self, info: Info) -> object:
        return await users.viewer(info.context)
