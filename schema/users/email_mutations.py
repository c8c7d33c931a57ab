"""Verifying and changing email addresses, and setting forgotten passwords, by codes that come by mail."""

from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import users
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.types import Info


@strawberry.input(description="The new email address, and the proof that the user asks for it.")
class EmailChangeInput:
    email: str = strawberry.field(description="The new email address. Upper and lower case are the same.")
    password: str | None = strawberry.field(
        default=None,
        description="The user's password. Required if the user has one. Without one a recent sign-in is required: "
        "otherwise the error is CONFIRMATION_REQUIRED.",
    )


@strawberry.input(description="The code of a mail.")
class EmailVerifyInput:
    code: str = strawberry.field(description="The code from the mail. It can be used once.")


@strawberry.input(description="The user who has forgotten the password.")
class PasswordResetRequestInput:
    email: str = strawberry.field(description="The email address of the user. Upper and lower case are the same.")


@strawberry.input(description="The new password, and the code that allows it.")
class PasswordResetInput:
    code: str = strawberry.field(description="The code from the mail, or from an operator. It can be used once.")
    password: str = strawberry.field(description="The new password, of 10 to 256 characters.")
    revoke_api_keys: bool = strawberry.field(
        default=False,
        description="True to also revoke all API keys and all webhooks of trading sessions, to unlink all identities "
        "at OpenID providers, and to disable all notification channels.",
    )


@strawberry.type(description="The result of `emailVerificationSend`.")
class EmailVerificationSendPayload(Payload): ...


@strawberry.type(description="The result of `emailChange`.")
class EmailChangePayload(Payload): ...


@strawberry.type(description="The result of `emailVerify`.")
class EmailVerifyPayload(Payload):
    email: str | None = strawberry.field(
        description="The email address, which is now verified and the user's. Null if there are errors."
    )


@strawberry.type(description="The result of `passwordResetRequest`.")
class PasswordResetRequestPayload(Payload): ...


@strawberry.type(description="The result of `passwordReset`.")
class PasswordResetPayload(Payload): ...


@strawberry.type
class EmailMutation:
    @mutation(
        EmailVerificationSendPayload,
        scope=ApiScope.ADMIN,
        description="Send a mail with a code that verifies the email address of the user; `emailVerify` takes the "
        "code. Registering sends the first such mail. The code is valid for 24 hours. UNSUPPORTED if the engine sends "
        "no mail, CONFLICT if the email address is verified.",
    )
    async def email_verification_send(self, info: Info) -> Fields:
        await users.send_email_verification(info.context)
        return {}

    @mutation(
        EmailChangePayload,
        scope=ApiScope.ADMIN,
        description="Change the email address: send a mail with a code to the new one; `emailVerify` takes the code, "
        "and the address changes then. A mail to the present address, if it is verified, reports the request, and a "
        "new password ends it. It requires a login session: an API key receives the error FORBIDDEN. If "
        "another user has the address, no mail is sent, and the answer is the same. UNSUPPORTED if the engine sends "
        "no mail.",
    )
    async def email_change(self, info: Info, input: Annotated[EmailChangeInput, INPUT]) -> Fields:
        await users.change_email(info.context, input.email, input.password)
        return {}

    @mutation(
        EmailVerifyPayload,
        scope=ApiScope.ADMIN,
        description="Verify an email address of the user by the code that was sent to it. If the mail was sent by "
        "`emailChange`, the address becomes the user's, and a mail to the previous address reports it. It requires a "
        "login session: an API key receives the error FORBIDDEN. A code of another user's is refused. Who receives the "
        "code of a registration that isn't theirs takes the address over by `passwordReset`.",
    )
    async def email_verify(self, info: Info, input: Annotated[EmailVerifyInput, INPUT]) -> Fields:
        return {"email": await users.verify_email(info.context, input.code)}

    @mutation(
        PasswordResetRequestPayload,
        scope=None,
        description="Send a mail with a code for a new password; `passwordReset` takes the code. The answer is the "
        "same whether or not a user has the email address. The code is valid for one hour. UNSUPPORTED if the engine "
        "sends no mail.",
    )
    async def password_reset_request(self, info: Info, input: Annotated[PasswordResetRequestInput, INPUT]) -> Fields:
        await users.request_password_reset(info.context, input.email)
        return {}

    @mutation(
        PasswordResetPayload,
        scope=None,
        description="Set a new password by the code of a mail. It ends all login sessions, and a mail to the user "
        "reports it. API keys stay valid unless `revokeApiKeys` is true or the email address was never verified "
        "before. An operator's code unlinks all identities at OpenID providers. It doesn't sign in: call `userLogin`.",
    )
    async def password_reset(self, info: Info, input: Annotated[PasswordResetInput, INPUT]) -> Fields:
        await users.reset_password(info.context, input.code, input.password, revoke_api_keys=input.revoke_api_keys)
        return {}
