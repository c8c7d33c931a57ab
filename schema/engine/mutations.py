"""Halting and resuming."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import halts
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.node import Node
from schema.common.types import Info
from schema.engine.inputs import TradingHaltInput


@strawberry.type(description="The result of `tradingHalt`.")
class TradingHaltPayload(Payload):
    subject: Node | None = strawberry.field(
        description="The trading session, account, user or engine. Null if there are errors, or if it is another user."
    )


@strawberry.type(description="The result of `tradingResume`.")
class TradingResumePayload(Payload):
    subject: Node | None = strawberry.field(
        description="The trading session, account, user or engine. Null if there are errors, or if it is another user."
    )


@strawberry.type
class HaltMutation:
    @mutation(
        TradingHaltPayload,
        scope=ApiScope.TRADE,
        description="Halt trading at once. No new order is sent until `tradingResume`, even after a restart of the "
        "engine.",
    )
    async def trading_halt(
        self,
        info: Info,
        id: Annotated[
            strawberry.ID,
            strawberry.argument(
                description=(
                    "The id of a trading session, an account, a user or the engine. Users can only halt themselves. "
                    "Operators can also halt other users and the engine."
                )
            ),
        ],
        input: Annotated[TradingHaltInput | None, INPUT] = None,
    ) -> Fields:
        request = (input or TradingHaltInput()).to_domain()
        return {"subject": await halts.halt(info.context, id, request)}

    @mutation(
        TradingResumePayload,
        scope=ApiScope.TRADE,
        description="End a halt, so that orders can be sent again. Halts at other levels still apply. A halt that an "
        "operator made can be ended by operators only: the result is the error CONFLICT.",
    )
    async def trading_resume(
        self,
        info: Info,
        id: Annotated[
            strawberry.ID,
            strawberry.argument(
                description=(
                    "The id of a trading session, an account, a user or the engine. Users can only resume themselves. "
                    "Operators can also resume other users and the engine."
                )
            ),
        ],
    ) -> Fields:
        return {"subject": await halts.halt(info.context, id, None)}
