"""Turning two-factor authentication on and off."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import users
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.types import Info


@strawberry.input(description="The proof that the user sets two-factor authentication up.")
class TwoFactorSetupInput:
    password: str | None = strawberry.field(
        default=None,
        description="The user's password. Required if the user has one. Without one a recent sign-in is required: "
        "otherwise the error is CONFIRMATION_REQUIRED.",
    )


@strawberry.input(description="A code of the authenticator app that has the new secret.")
class TwoFactorEnableInput:
    code: str = strawberry.field(description="The six digits that the authenticator app shows.")


@strawberry.input(description="A code of two-factor authentication.")
class TwoFactorDisableInput:
    code: str = strawberry.field(description="The present code of the authenticator app, or a recovery code.")


@strawberry.input(description="A code of two-factor authentication.")
class RecoveryCodesReplaceInput:
    code: str = strawberry.field(description="The present code of the authenticator app, or a recovery code.")


@strawberry.type(description="The result of `twoFactorSetup`: a secret for an authenticator app.")
class TwoFactorSetupPayload(Payload):
    secret: str | None = strawberry.field(
        description="The secret in base32, to type in. It can't be read again. Null if there are errors."
    )
    uri: str | None = strawberry.field(
        description="The secret as an `otpauth:` URI. Show it as a QR code to scan. Null if there are errors."
    )


@strawberry.type(description="The result of `twoFactorEnable`.")
class TwoFactorEnablePayload(Payload):
    recovery_codes: list[str] | None = strawberry.field(
        description="Ten codes for a user who has lost the authenticator app. Each can be used once. They can't be "
        "read again. Null if there are errors."
    )


@strawberry.type(description="The result of `twoFactorDisable`.")
class TwoFactorDisablePayload(Payload): ...


@strawberry.type(description="The result of `recoveryCodesReplace`.")
class RecoveryCodesReplacePayload(Payload):
    recovery_codes: list[str] | None = strawberry.field(
        description="Ten new recovery codes. They can't be read again. Null if there are errors."
    )


@strawberry.type
class TwoFactorMutation:
    @mutation(
        TwoFactorSetupPayload,
        scope=ApiScope.ADMIN,
        description="Make a secret for two-factor authentication (TOTP, RFC 6238). Nothing changes until "
        "`twoFactorEnable`. It requires a login session: an API key receives the error FORBIDDEN. CONFLICT if "
        "two-factor authentication is on.",
    )
    async def two_factor_setup(self, info: Info, input: Annotated[TwoFactorSetupInput, INPUT]) -> Fields:
        made = await users.set_up_two_factor(info.context, input.password)
        return {"secret": made.secret, "uri": made.uri}

    @mutation(
        TwoFactorEnablePayload,
        scope=ApiScope.ADMIN,
        description="Turn two-factor authentication on, with a code of the secret that `twoFactorSetup` made: from "
        "then on `userLogin` requires a code. Login sessions and API keys stay valid. It requires a login session.",
    )
    async def two_factor_enable(self, info: Info, input: Annotated[TwoFactorEnableInput, INPUT]) -> Fields:
        return {"recovery_codes": await users.enable_two_factor(info.context, input.code)}

    @mutation(
        TwoFactorDisablePayload,
        scope=ApiScope.ADMIN,
        description="Turn two-factor authentication off, with a code. It requires a login session with a recent "
        "sign-in: otherwise the error is CONFIRMATION_REQUIRED. CONFLICT if it is off. A user "
        "who has neither the app nor a recovery code needs an operator: `r3edge user reset-two-factor`.",
    )
    async def two_factor_disable(self, info: Info, input: Annotated[TwoFactorDisableInput, INPUT]) -> Fields:
        await users.disable_two_factor(info.context, input.code)
        return {}

    @mutation(
        RecoveryCodesReplacePayload,
        scope=ApiScope.ADMIN,
        description="Make ten new recovery codes, with a code of two-factor authentication. The previous ones are no "
        "longer valid. It requires a login session with a recent sign-in: otherwise the error is "
        "CONFIRMATION_REQUIRED.",
    )
    async def recovery_codes_replace(self, info: Info, input: Annotated[RecoveryCodesReplaceInput, INPUT]) -> Fields:
        return {"recovery_codes": await users.replace_recovery_codes(info.context, input.code)}
