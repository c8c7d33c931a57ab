"""Plans: which there are, who has which, and how much of them is used."""

from collections.abc import Sequence
from uuid import UUID

from domain.core.changes import Changes
from domain.core.errors import ErrorCode, InputError
from domain.model.administration import ManagedUser
from domain.model.plans import Entitlement, EntitlementUsage, Plan, PlanChange
from domain.model.users import ApiScope, User
from domain.users.plans import SHOWN_CHANGES, PlanRequest
from domain.users.request_rates import limit_of_user
from resolvers.administration import managed_user_id
from resolvers.context import RequestContext


async def usage(context: RequestContext, user: User | ManagedUser) -> list[EntitlementUsage]:
    """Return how much of the plan the user uses."""
    async with context.reads.read_only() as reading:
        counted = await reading.plans.usage(user.id, user.plan)
    rate = context.services.rates.rate(limit_of_user(user))
    requests = EntitlementUsage(Entitlement.REQUESTS_PER_MINUTE, rate.limit, rate.used, rate.resets_at)
    return [*counted, requests]


async def changes(context: RequestContext, user: User | ManagedUser) -> Sequence[PlanChange]:
    """Return the decisions about the user's plan, the last one first."""
    async with context.reads.read_only() as reading:
        return await reading.plans.changes(user.id, SHOWN_CHANGES)


async def require_operator(context: RequestContext) -> None:
    """Raise `Forbidden` unless an operator asks: others mustn't learn which ids there are."""
    await context.services.plans.require_operator(context.require(ApiScope.ADMIN))


async def list_all(context: RequestContext) -> list[Plan]:
    """Return all plans, for an operator."""
    return await context.services.plans.list_all(context.require(ApiScope.READ))


async def create(context: RequestContext, name: str, limits: Changes[Plan], *, make_default: bool) -> Plan:
    """Create a plan, as an operator."""
    plan = limits.apply_to(Plan(name))
    return await context.services.plans.create(context.require(ApiScope.ADMIN), plan, make_default=make_default)


async def update(context: RequestContext, name: str, limits: Changes[Plan], *, make_default: bool) -> Plan:
    """Change a plan, as an operator."""
    identity = context.require(ApiScope.ADMIN)
    return await context.services.plans.update(identity, name, limits, make_default=make_default)


async def archive(context: RequestContext, name: str) -> Plan:
    """Archive a plan, as an operator."""
    return await context.services.plans.archive(context.require(ApiScope.ADMIN), name)


async def change(context: RequestContext, user: str, request: PlanRequest) -> tuple[User, PlanChange]:
    """Give a user a plan, as an operator; `user` is the id of a ManagedUser or a User."""
    user_id = managed_user_id(user)
    if user_id is None:
        raise InputError(ErrorCode.NOT_FOUND, "There is no such user.", ("input", "user"))
    return await context.services.plans.change(context.require(ApiScope.ADMIN), user_id, request)


async def cancel(context: RequestContext, change_id: UUID) -> PlanChange:
    """Cancel a change that is scheduled, as an operator."""
    return await context.services.plans.cancel(context.require(ApiScope.ADMIN), change_id)
