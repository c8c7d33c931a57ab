"""What operators do to users."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from domain.trading.halts import HaltRequest
from resolvers import administration
from schema.administration.inputs import (
    UserDisableInput,
    UserEnableInput,
    UserPasswordResetInput,
    UserRoleChangeInput,
    UserSignOutInput,
    UserTradingStopInput,
    UserTwoFactorResetInput,
)
from schema.administration.types import ManagedUser
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.types import Info

UserId = Annotated[
    strawberry.ID,
    strawberry.argument(
        description="The id of a `ManagedUser`, or of its `User`. Operators can't name themselves: the error is "
        "CONFLICT."
    ),
]
LOGIN_ONLY = (
    " It requires a login session with a recent sign-in (else CONFIRMATION_REQUIRED): an API key receives the error "
    "FORBIDDEN."
)


@strawberry.type
class ManagedUserPayload(Payload):
    """What the payloads of operators have in common."""

    user: ManagedUser | None = strawberry.field(description="The user after the change. Null if there are errors.")


@strawberry.type(description="The result of `userDisable`.")
class UserDisablePayload(ManagedUserPayload): ...


@strawberry.type(description="The result of `userEnable`.")
class UserEnablePayload(ManagedUserPayload): ...


@strawberry.type(description="The result of `userTradingStop`.")
class UserTradingStopPayload(ManagedUserPayload):
    trading_sessions: int | None = strawberry.field(
        description="How many trading sessions are being stopped. Null if there are errors."
    )


@strawberry.type(description="The result of `userRoleChange`.")
class UserRoleChangePayload(ManagedUserPayload): ...


@strawberry.type(description="The result of `userPasswordReset`.")
class UserPasswordResetPayload(ManagedUserPayload):
    code: str | None = strawberry.field(
        description="The code to pass on to the user, who sets a new password with it by `passwordReset`, once, within "
        "an hour. It can't be read again. Null if the engine sends mail: then the user receives it, and nobody else."
    )


@strawberry.type(description="The result of `userTwoFactorReset`.")
class UserTwoFactorResetPayload(ManagedUserPayload): ...


@strawberry.type(description="The result of `userSignOut`.")
class UserSignOutPayload(ManagedUserPayload):
    login_sessions: int | None = strawberry.field(
        description="How many login sessions were ended. Null if there are errors."
    )
    api_keys: int | None = strawberry.field(description="How many API keys were revoked. Null if there are errors.")


@strawberry.type
class AdministrationMutation:
    @mutation(
        UserDisablePayload,
        scope=ApiScope.ADMIN,
        description=(
            "Disable a user, as an operator. Login sessions end and open connections are closed, on all nodes. API "
            "keys and webhooks rest until `userEnable`. Trading is halted so that nothing is opened: open orders that "
            "open or enlarge a position are canceled, positions stay protected. Jobs run to their end. CONFLICT for "
            "the last operator. For another operator it requires a login session with a recent sign-in."
        ),
    )
    async def user_disable(
        self, info: Info, id: UserId, input: Annotated[UserDisableInput | None, INPUT] = None
    ) -> Fields:
        given = input or UserDisableInput()
        halt = HaltRequest(given.cancel_orders, reduce_only=True, close_positions=given.close_positions)
        return {"user": await administration.disable(info.context, id, given.reason, halt)}

    @mutation(
        UserEnablePayload,
        scope=ApiScope.ADMIN,
        description="Enable a disabled user, as an operator. API keys and webhooks work again, and the halt that came "
        "with `userDisable` ends. Clients sign in again.",
    )
    async def user_enable(
        self, info: Info, id: UserId, input: Annotated[UserEnableInput | None, INPUT] = None
    ) -> Fields:
        given = input or UserEnableInput()
        resume = given.resume_trading
        return {"user": await administration.enable(info.context, id, given.reason, resume_trading=resume)}

    @mutation(
        UserTradingStopPayload,
        scope=ApiScope.ADMIN,
        description="Stop all trading sessions of a user for good, and halt the user until `tradingResume`, as an "
        "operator. Open orders that open or enlarge a position are canceled. For another operator it requires a login "
        "session with a recent sign-in.",
    )
    async def user_trading_stop(
        self, info: Info, id: UserId, input: Annotated[UserTradingStopInput | None, INPUT] = None
    ) -> Fields:
        given = input or UserTradingStopInput()
        user, stopped = await administration.stop_trading(
            info.context, id, given.reason, close_positions=given.close_positions
        )
        return {"user": user, "trading_sessions": stopped}

    @mutation(
        UserRoleChangePayload,
        scope=ApiScope.ADMIN,
        description="Make a user an operator, or an operator a user, as an operator. CONFLICT for the last operator."
        + LOGIN_ONLY,
    )
    async def user_role_change(self, info: Info, id: UserId, input: Annotated[UserRoleChangeInput, INPUT]) -> Fields:
        return {"user": await administration.change_role(info.context, id, input.reason, input.role)}

    @mutation(
        UserPasswordResetPayload,
        scope=ApiScope.ADMIN,
        description="Let a user set a new password without the present one, as an operator. The present one is valid "
        "until then." + LOGIN_ONLY,
    )
    async def user_password_reset(
        self, info: Info, id: UserId, input: Annotated[UserPasswordResetInput | None, INPUT] = None
    ) -> Fields:
        user, code = await administration.reset_password(info.context, id, input.reason if input else None)
        return {"user": user, "code": code}

    @mutation(
        UserTwoFactorResetPayload,
        scope=ApiScope.ADMIN,
        description="Turn off the two-factor authentication of a user who has lost the app and the recovery codes, as "
        "an operator." + LOGIN_ONLY,
    )
    async def user_two_factor_reset(
        self, info: Info, id: UserId, input: Annotated[UserTwoFactorResetInput | None, INPUT] = None
    ) -> Fields:
        return {"user": await administration.reset_two_factor(info.context, id, input.reason if input else None)}

    @mutation(
        UserSignOutPayload,
        scope=ApiScope.ADMIN,
        description="End all login sessions of a user, as an operator, and close their connections on all nodes. The "
        "user may sign in again. For another operator it requires a login session with a recent sign-in.",
    )
    async def user_sign_out(
        self, info: Info, id: UserId, input: Annotated[UserSignOutInput | None, INPUT] = None
    ) -> Fields:
        given = input or UserSignOutInput()
        user, sessions, keys = await administration.sign_out(
            info.context, id, given.reason, revoke_api_keys=given.revoke_api_keys
        )
        return {"user": user, "login_sessions": sessions, "api_keys": keys}
