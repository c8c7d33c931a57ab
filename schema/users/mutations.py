"""Registering, signing in and out, and managing credentials."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from domain.users.profile import ProfileChanges
from resolvers import administration, users
from schema.common.changes import change, replacement
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.node import decode_uuid
from schema.common.types import Info
from schema.users.inputs import (
    ApiKeyCreateInput,
    LoginSessionConfirmInput,
    UserEraseInput,
    UserLoginInput,
    UserRegisterInput,
    UserUpdateInput,
)
from schema.users.types import ApiKey, LoginSession, User


@strawberry.type(description="The result of `userRegister`: the new user, signed in.")
class UserRegisterPayload(Payload):
    user: User | None = strawberry.field(description="The new user. Null if there are errors.")
    token: str | None = strawberry.field(
        description=(
            "The token of the new login session. Send it as `Authorization: Bearer …`. It can't be read again. Null "
            "if there are errors."
        )
    )
    expires_at: datetime | None = strawberry.field(
        description="The time at which the token expires. Null if there are errors."
    )


@strawberry.type(description="The result of `userLogin`: the user, signed in.")
class UserLoginPayload(Payload):
    user: User | None = strawberry.field(description="The user. Null if there are errors.")
    token: str | None = strawberry.field(
        description=(
            "The token of the new login session. Send it as `Authorization: Bearer …`. It can't be read again. Null "
            "if there are errors."
        )
    )
    expires_at: datetime | None = strawberry.field(
        description="The time at which the token expires. Null if there are errors."
    )


@strawberry.type(description="The result of `userLogout`.")
class UserLogoutPayload(Payload): ...


@strawberry.type(description="The result of `userUpdate`.")
class UserUpdatePayload(Payload):
    user: User | None = strawberry.field(description="The user after the change. Null if there are errors.")


@strawberry.type(description="The result of `apiKeyCreate`.")
class ApiKeyCreatePayload(Payload):
    api_key: ApiKey | None = strawberry.field(description="The new API key. Null if there are errors.")
    secret: str | None = strawberry.field(
        description=(
            "The secret of the key. Send it as `Authorization: Bearer …`. It can't be read again. Null if there are "
            "errors."
        )
    )


@strawberry.type(description="The result of `apiKeyRevoke`.")
class ApiKeyRevokePayload(Payload):
    api_key: ApiKey | None = strawberry.field(description="The revoked API key. Null if there are errors.")


@strawberry.type(description="The result of `loginSessionRevoke`.")
class LoginSessionRevokePayload(Payload):
    login_session: LoginSession | None = strawberry.field(
        description="The login session that was ended. Null if there are errors."
    )


@strawberry.type(description="The result of `loginSessionsRevoke`.")
class LoginSessionsRevokePayload(Payload):
    count: int | None = strawberry.field(description="How many login sessions were ended. Null if there are errors.")


@strawberry.type(description="The result of `loginSessionConfirm`.")
class LoginSessionConfirmPayload(Payload): ...


@strawberry.type(description="The result of `userErase`.")
class UserErasePayload(Payload): ...


@strawberry.type
class UserMutation:
    @mutation(
        UserRegisterPayload,
        scope=None,
        description="Register a new user and sign in. The first user becomes an operator. While registration is "
        "closed, everybody else needs the code of an invitation: UNSUPPORTED without one. A code that is used, "
        "expired, withdrawn or for another email address is CREDENTIALS_REJECTED.",
    )
    async def user_register(self, info: Info, input: Annotated[UserRegisterInput, INPUT]) -> Fields:
        signed = await users.register(
            info.context, input.email, input.password, input.display_name, input.invitation_code
        )
        return {"user": signed.user, "token": signed.token, "expires_at": signed.expires_at}

    @mutation(
        UserLoginPayload,
        scope=None,
        description=(
            "Sign in with email and password, and with a code if the user has two-factor authentication: without it "
            "the error is TWO_FACTOR_REQUIRED. After ten wrong passwords within a minute, further attempts are "
            "delayed."
        ),
    )
    async def user_login(self, info: Info, input: Annotated[UserLoginInput, INPUT]) -> Fields:
        signed = await users.login(info.context, input.email, input.password, input.two_factor_code)
        return {"user": signed.user, "token": signed.token, "expires_at": signed.expires_at}

    @mutation(
        UserLogoutPayload,
        scope=ApiScope.READ,
        description="Sign out: revoke the credential with which this request is made, and close its WebSocket "
        "connections.",
    )
    async def user_logout(self, info: Info) -> Fields:
        await users.logout(info.context)
        return {}

    @mutation(
        UserUpdatePayload,
        scope=ApiScope.ADMIN,
        description="Change the profile or the password of the user. A new password signs out all other clients.",
    )
    async def user_update(self, info: Info, input: Annotated[UserUpdateInput, INPUT]) -> Fields:
        name, password = change(input.display_name), change(input.password)
        changed = await users.update(
            info.context,
            name,
            password,
            input.current_password,
            ProfileChanges(
                change(input.time_zone),
                change(input.locale),
                change(input.report_currency),
                replacement(input.notifications),
            ),
            revoke_api_keys=input.revoke_api_keys,
            revoke_signal_webhooks=input.revoke_signal_webhooks,
        )
        return {"user": changed}

    @mutation(
        ApiKeyCreatePayload,
        scope=ApiScope.ADMIN,
        description=(
            "Create an API key. It requires a login session with a recent sign-in: otherwise the error is "
            "CONFIRMATION_REQUIRED. An API key can't create another, and receives the error FORBIDDEN. A user can have "
            "at most `Plan.maxApiKeys`."
        ),
    )
    async def api_key_create(self, info: Info, input: Annotated[ApiKeyCreateInput, INPUT]) -> Fields:
        scopes, expires_at = frozenset(input.scopes), input.expires_at
        key, secret = await users.create_api_key(
            info.context, input.name, scopes, expires_at, input.requests_per_minute
        )
        return {"api_key": key, "secret": secret}

    @mutation(
        ApiKeyRevokePayload,
        scope=ApiScope.ADMIN,
        description="Revoke an API key at once, and close its WebSocket connections.",
    )
    async def api_key_revoke(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the API key.")]
    ) -> Fields:
        key = await users.revoke_api_key(info.context, decode_uuid(id, "ApiKey", ("id",)))
        return {"api_key": key}

    @mutation(
        LoginSessionRevokePayload,
        scope=ApiScope.ADMIN,
        description="End a login session at once, and close its WebSocket connections.",
    )
    async def login_session_revoke(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the login session.")]
    ) -> Fields:
        session = await users.revoke_login_session(info.context, decode_uuid(id, "LoginSession", ("id",)))
        return {"login_session": session}

    @mutation(
        LoginSessionsRevokePayload,
        scope=ApiScope.ADMIN,
        description="End all login sessions of the user at once, except the one with which this request is made, and "
        "close their WebSocket connections. API keys stay valid.",
    )
    async def login_sessions_revoke(self, info: Info) -> Fields:
        return {"count": await users.revoke_other_login_sessions(info.context)}

    @mutation(
        LoginSessionConfirmPayload,
        scope=ApiScope.ADMIN,
        description="Prove by the password who makes the request, for mutations that require a recent sign-in: they "
        "accept this login session for two hours. It requires a login session: an API key receives the error "
        "FORBIDDEN.",
    )
    async def login_session_confirm(self, info: Info, input: Annotated[LoginSessionConfirmInput, INPUT]) -> Fields:
        await users.confirm_login_session(info.context, input.password, input.two_factor_code)
        return {}

    @mutation(
        UserErasePayload,
        scope=ApiScope.ADMIN,
        description="Erase the user at once and for good. Credentials, the email address, names, reports, backtests "
        "and events are deleted. Records of trading stay under an id that names nobody. CONFLICT while a trading "
        "session is live, an order or a position is open, or the user is the last operator. It requires a login "
        "session: an API key receives the error FORBIDDEN. Operators can erase other users too.",
    )
    async def user_erase(self, info: Info, input: Annotated[UserEraseInput, INPUT]) -> Fields:
        password, code = input.current_password, input.two_factor_code
        if input.user is None:
            await users.erase(info.context, password, code)
        else:
            await administration.erase(info.context, input.user, input.reason, password, code)
        return {}
