"""The plans, in the query root."""

import strawberry

from resolvers import plans
from schema.common.types import Info
from schema.plans.types import Plan


@strawberry.type
class PlanQuery:
    @strawberry.field(
        graphql_type=list[Plan] | None,
        description="All plans by name, archived ones too. Only operators may ask: for others it is null, with the "
        "error FORBIDDEN. A user's own plan is `User.plan`.",
    )
    async def plans(self, info: Info) -> object:
        return await plans.list_all(info.context)
