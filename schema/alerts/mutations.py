"""Creating, changing and deleting alert rules."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import alerts
from schema.alerts.inputs import AlertCreateInput, AlertUpdateInput
from schema.alerts.types import AlertRule
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.node import decode_uuid
from schema.common.types import Info

RuleId = Annotated[strawberry.ID, strawberry.argument(description="The id of the alert rule.")]


@strawberry.type(description="The result of `alertCreate`.")
class AlertCreatePayload(Payload):
    alert_rule: AlertRule | None = strawberry.field(description="The new alert rule. Null if there are errors.")


@strawberry.type(description="The result of `alertUpdate`.")
class AlertUpdatePayload(Payload):
    alert_rule: AlertRule | None = strawberry.field(
        description="The alert rule after the change. Null if there are errors."
    )


@strawberry.type(description="The result of `alertDelete`.")
class AlertDeletePayload(Payload):
    deleted_id: strawberry.ID | None = strawberry.field(
        description="The id of the deleted alert rule. Null if there are errors."
    )


@strawberry.type
class AlertMutation:
    @mutation(
        AlertCreatePayload,
        scope=ApiScope.TRADE,
        description=(
            "Create an alert rule. It is looked at from now on: it fires when its condition becomes true, not if it is "
            "true already. The user's plan limits the number of rules: see `Plan.maxAlertRules`."
        ),
    )
    async def alert_create(self, info: Info, input: Annotated[AlertCreateInput, INPUT]) -> Fields:
        return {"alert_rule": await alerts.create(info.context, input.to_domain(), input.idempotency_key)}

    @mutation(
        AlertUpdatePayload,
        scope=ApiScope.TRADE,
        description=(
            "Change an alert rule, disable it or enable it again. After each change it is looked at as if it were new."
        ),
    )
    async def alert_update(self, info: Info, id: RuleId, input: Annotated[AlertUpdateInput, INPUT]) -> Fields:
        rule_id = decode_uuid(id, "AlertRule", ("id",))
        return {"alert_rule": await alerts.update(info.context, rule_id, input.to_domain())}

    @mutation(AlertDeletePayload, scope=ApiScope.TRADE, description="Delete an alert rule, at once.")
    async def alert_delete(self, info: Info, id: RuleId) -> Fields:
        await alerts.delete(info.context, decode_uuid(id, "AlertRule", ("id",)))
        return {"deleted_id": id}
