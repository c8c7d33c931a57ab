"""Draining nodes."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import engine_nodes
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.types import Info
from schema.engine.nodes import EngineNode

Name = Annotated[str, strawberry.argument(description="The name of a node, as `engine { nodes }` lists it.")]
REASON = "Why it is done, at most 500 characters. The operator's activity keeps it."


@strawberry.input(description="How to drain a node.")
class EngineNodeDrainInput:
    force: bool = strawberry.field(
        default=False,
        description="True to drain it even if no other node is ready that has its roles, so that some work rests. With "
        "false, that is the error CONFLICT.",
    )
    reason: str | None = strawberry.field(default=None, description=REASON)


@strawberry.input(description="Why a node works again.")
class EngineNodeResumeInput:
    reason: str | None = strawberry.field(default=None, description=REASON)


@strawberry.type
class EngineNodePayload(Payload):
    """What the payloads of nodes have in common."""

    node: EngineNode | None = strawberry.field(
        description="The node as it was when this was requested. Null if there are errors."
    )


@strawberry.type(description="The result of `engineNodeDrain`.")
class EngineNodeDrainPayload(EngineNodePayload): ...


@strawberry.type(description="The result of `engineNodeResume`.")
class EngineNodeResumePayload(EngineNodePayload): ...


@strawberry.type
class EngineNodeMutation:
    @mutation(
        EngineNodeDrainPayload,
        scope=ApiScope.ADMIN,
        description="Have a node give its work to other nodes, as an operator. Accounts, feeds and jobs go at once, "
        "`/readyz` answers 503, and WebSockets and event streams are closed so that clients connect to other nodes. "
        "The node runs on, without work, until it is stopped or `engineNodeResume`.",
    )
    async def engine_node_drain(
        self, info: Info, name: Name, input: Annotated[EngineNodeDrainInput | None, INPUT] = None
    ) -> Fields:
        given = input or EngineNodeDrainInput()
        return {"node": await engine_nodes.drain(info.context, name, given.reason, force=given.force)}

    @mutation(
        EngineNodeResumePayload,
        scope=ApiScope.ADMIN,
        description="Have a node work again that `engineNodeDrain` has drained, as an operator.",
    )
    async def engine_node_resume(
        self, info: Info, name: Name, input: Annotated[EngineNodeResumeInput | None, INPUT] = None
    ) -> Fields:
        reason = None if input is None else input.reason
        return {"node": await engine_nodes.resume(info.context, name, reason)}
