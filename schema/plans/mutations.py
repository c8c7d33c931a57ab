"""Creating, changing and archiving plans, and giving them to users, as an operator."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import plans
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.node import decode_uuid
from schema.common.types import Info
from schema.plans.inputs import PlanCreateInput, PlanUpdateInput, UserPlanChangeInput, limit_changes
from schema.plans.types import Plan, PlanChange


@strawberry.type(description="The result of `planCreate`.")
class PlanCreatePayload(Payload):
    plan: Plan | None = strawberry.field(description="The new plan. Null if there are errors.")


@strawberry.type(description="The result of `planUpdate`.")
class PlanUpdatePayload(Payload):
    plan: Plan | None = strawberry.field(description="The plan after the change. Null if there are errors.")


@strawberry.type(description="The result of `planArchive`.")
class PlanArchivePayload(Payload):
    plan: Plan | None = strawberry.field(description="The archived plan. Null if there are errors.")


@strawberry.type(description="The result of `userPlanChange`.")
class UserPlanChangePayload(Payload):
    plan_change: PlanChange | None = strawberry.field(description="The decision. Null if there are errors.")
    plan: Plan | None = strawberry.field(
        description="The plan that the user has now: before `effectiveAt` the one of before. Null if there are errors."
    )


@strawberry.type(description="The result of `userPlanChangeCancel`.")
class UserPlanChangeCancelPayload(Payload):
    plan_change: PlanChange | None = strawberry.field(description="The decision. Null if there are errors.")


@strawberry.type
class PlanMutation:
    @mutation(
        PlanCreatePayload,
        scope=ApiScope.ADMIN,
        description="Create a plan. Only operators may: others receive the error FORBIDDEN.",
    )
    async def plan_create(self, info: Info, input: Annotated[PlanCreateInput, INPUT]) -> Fields:
        limits = limit_changes(input.limits)
        return {"plan": await plans.create(info.context, input.name, limits, make_default=input.default)}

    @mutation(
        PlanUpdatePayload,
        scope=ApiScope.ADMIN,
        description=(
            "Change the limits of a plan for all users who have it, or make it the default plan. Nothing that users "
            "have is ended: what exceeds a lower limit goes on, and nothing is added to it. Only operators may: others "
            "receive the error FORBIDDEN."
        ),
    )
    async def plan_update(self, info: Info, input: Annotated[PlanUpdateInput, INPUT]) -> Fields:
        limits = limit_changes(input.limits)
        return {"plan": await plans.update(info.context, input.name, limits, make_default=input.default)}

    @mutation(
        PlanArchivePayload,
        scope=ApiScope.ADMIN,
        description=(
            "Archive a plan: it can't be given to users any more, and those who have it keep it. The default plan "
            "can't be archived. Only operators may: others receive the error FORBIDDEN."
        ),
    )
    async def plan_archive(
        self, info: Info, name: Annotated[str, strawberry.argument(description="The name of the plan.")]
    ) -> Fields:
        return {"plan": await plans.archive(info.context, name)}

    @mutation(
        UserPlanChangePayload,
        scope=ApiScope.ADMIN,
        description=(
            "Give a user a plan, now or from a time on. It is in the activity of the user. Only operators may: others "
            "receive the error FORBIDDEN."
        ),
    )
    async def user_plan_change(self, info: Info, input: Annotated[UserPlanChangeInput, INPUT]) -> Fields:
        await plans.require_operator(info.context)
        user, change = await plans.change(info.context, input.user, input.to_domain())
        return {"plan_change": change, "plan": user.plan}

    @mutation(
        UserPlanChangeCancelPayload,
        scope=ApiScope.ADMIN,
        description=(
            "Cancel a change of a user's plan that is scheduled. Only operators may: others receive the error "
            "FORBIDDEN."
        ),
    )
    async def user_plan_change_cancel(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the change.")]
    ) -> Fields:
        await plans.require_operator(info.context)
        return {"plan_change": await plans.cancel(info.context, decode_uuid(id, "PlanChange", ("id",)))}
