"""Users as operators see them."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.model import administration as domain
from domain.model.trading_state import TradingState
from domain.model.users import UserRole, UserStatus
from resolvers import administration, filters, plans, users
from resolvers.lists import TimeOrder
from resolvers.pagination import PageArguments
from schema.common.arguments import OrderBy, connection_field
from schema.common.filters import From, To
from schema.common.node import Node, instance_of
from schema.common.pagination import connection
from schema.common.types import Info
from schema.engine.types import HaltFields
from schema.plans.types import EntitlementUsage, Plan, PlanChange
from schema.users.types import ActivityConnection


@strawberry.type(
    description="How much a user has. Operators see no more of what a user trades than these numbers: no market, no "
    "amount, no strategy."
)
class UserCounts:
    last_seen_at: datetime | None = strawberry.field(
        description="When a client of the user that is still signed in, or an API key, was last active, accurate to "
        "one minute. Null if none was."
    )
    login_sessions: int = strawberry.field(description="How many clients are signed in.")
    api_keys: int = strawberry.field(
        description="How many API keys the user has that neither expired nor were revoked."
    )
    paper_accounts: int = strawberry.field(description="How many accounts with paper money aren't archived.")
    live_accounts: int = strawberry.field(description="How many accounts with real money aren't archived.")
    live_trading_sessions: int = strawberry.field(description="How many trading sessions haven't ended.")
    failed_trading_sessions: int = strawberry.field(description="How many trading sessions ended as FAILED.")
    active_orders: int = strawberry.field(description="How many orders are active.")
    open_positions: int = strawberry.field(description="How many positions are open.")
    open_jobs: int = strawberry.field(description="How many jobs wait or run.")


@strawberry.type(
    description="A user as operators see them. Only operators find it. It is about the same user as the `User` that "
    "the user sees as `viewer`, and has another id."
)
class ManagedUser(Node, HaltFields):
    is_type_of = instance_of(domain.ManagedUser)

    email: str = strawberry.field(description="The email address, in lower case.")
    display_name: str | None = strawberry.field(description="The name to display. Null if the user gave none.")
    email_verified_at: datetime | None = strawberry.field(
        description="When the user proved that the email address is theirs. Null if they haven't."
    )
    two_factor_enabled_at: datetime | None = strawberry.field(
        description="When two-factor authentication was turned on. Null if it is off."
    )
    created_at: datetime = strawberry.field(description="When the user registered.")
    role: UserRole = strawberry.field(description="The role of the user on this engine.")
    status: UserStatus = strawberry.field(description="Whether the user may use the engine.")
    disabled_at: datetime | None = strawberry.field(
        description="When the user was disabled. Null if the user isn't disabled."
    )
    plan: Plan = strawberry.field(description="The plan that the user has now: the limits that apply to the user.")
    trading_state: TradingState = strawberry.field(
        description="What halts allow the user to do. A halt of the engine is not counted here."
    )

    @strawberry.field(
        graphql_type=list[EntitlementUsage] | None,
        description="How much of the plan the user uses, one item for each entitlement that is counted.",
    )
    async def plan_usage(parent: strawberry.Parent[domain.ManagedUser], info: Info) -> object:
        return await plans.usage(info.context, parent)

    @strawberry.field(
        graphql_type=list[PlanChange] | None,
        description="The decisions about which plan the user has, past and scheduled, the last decision first: the "
        "newest 100. The list is empty if the user has always had the default plan.",
    )
    async def plan_changes(parent: strawberry.Parent[domain.ManagedUser], info: Info) -> object:
        return await plans.changes(info.context, parent)

    @strawberry.field(graphql_type=UserCounts | None, description="How much the user has.")
    async def counts(parent: strawberry.Parent[domain.ManagedUser], info: Info) -> object:
        return await administration.counts(info.context, parent)

    @connection_field(
        ActivityConnection | None,
        description="What the user did, and what operators did to the user. Details of what the user did, such as "
        "names, are null here, and so are its objects.",
        nested=True,
    )
    async def activity(
        parent: strawberry.Parent[domain.ManagedUser],
        info: Info,
        page: PageArguments,
        action: Annotated[
            list[str] | None,
            strawberry.argument(
                description="Only these actions, by the names of their mutations, such as `userLogin`."
            ),
        ] = None,
        from_: From = None,
        to: To = None,
        order_by: OrderBy = TimeOrder.NEWEST_FIRST,
    ) -> object:
        selected = filters.activity_filter(action, from_, to)
        return await users.activity(info.context, parent, page, selected, order_by)


ManagedUserConnection = connection(ManagedUser, "users")
