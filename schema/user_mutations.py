"""What users do with their own sign-in: inputs, payloads and mutations."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.model import users as domain
from resolvers import users
from schema.changes import change
from schema.context import Info
from schema.errors import INPUT, Payload, answer, payload
from schema.node import decode_uuid
from schema.users import ApiKey, LoginSession, User


@strawberry.input(description="The user to register.")
class UserRegisterInput:
    """The input of `userRegister`."""

    email: str = strawberry.field(
        description="The email address. It must be unique among users. Upper and lower case are the same."
    )
    password: str = strawberry.field(
        description="The password, of 10 to 256 characters. The most common passwords are not accepted."
    )
    display_name: str | None = strawberry.field(
        default=None, description="The name to display, of 1 to 100 printable characters."
    )


@strawberry.type(description="The result of `userRegister`: the new user, signed in.")
class UserRegisterPayload(Payload):
    """The answer of `userRegister`."""

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


@strawberry.input(description="The credentials of a user.")
class UserLoginInput:
    """The input of `userLogin`."""

    email: str = strawberry.field(
        description="The email address with which the user registered. Upper and lower case are the same."
    )
    password: str = strawberry.field(description="The user's password.")


@strawberry.type(description="The result of `userLogin`: the user, signed in.")
class UserLoginPayload(Payload):
    """The answer of `userLogin`."""

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
class UserLogoutPayload(Payload):
    """The answer of `userLogout`."""


@strawberry.input(description="The changes of the user. A field that isn't given keeps its value.")
class UserUpdateInput:
    """The input of `userUpdate`."""

    display_name: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new name to display, of 1 to 100 printable characters. Null removes it.",
    )
    password: str | None = strawberry.field(
        default=strawberry.UNSET,
        description="The new password, of 10 to 256 characters. It requires `currentPassword`, and can't be null.",
    )
    current_password: str | None = strawberry.field(
        default=None, description="The present password. Required to change the password."
    )
    revoke_api_keys: bool = strawberry.field(
        default=False, description="True to revoke all API keys, except the one with which this request is made."
    )


@strawberry.type(description="The result of `userUpdate`.")
class UserUpdatePayload(Payload):
    """The answer of `userUpdate`."""

    user: User | None = strawberry.field(description="The user after the change. Null if there are errors.")


@strawberry.input(description="The API key to create.")
class ApiKeyCreateInput:
    """The input of `apiKeyCreate`."""

    name: str = strawberry.field(description="The name of the key, of 1 to 100 printable characters.")
    scopes: list[domain.ApiScope] = strawberry.field(
        description="What the key is allowed to do. At least one scope is required."
    )
    expires_at: datetime | None = strawberry.field(
        default=None,
        description="The time at which the key expires. It must be in the future. By default the key never expires.",
    )


@strawberry.type(description="The result of `apiKeyCreate`.")
class ApiKeyCreatePayload(Payload):
    """The answer of `apiKeyCreate`."""

    api_key: ApiKey | None = strawberry.field(description="The new API key. Null if there are errors.")
    secret: str | None = strawberry.field(
        description=(
            "The secret of the key. Send it as `Authorization: Bearer …`. It can't be read again. Null if there are "
            "errors."
        )
    )


@strawberry.type(description="The result of `apiKeyRevoke`.")
class ApiKeyRevokePayload(Payload):
    """The answer of `apiKeyRevoke`."""

    api_key: ApiKey | None = strawberry.field(description="The revoked API key. Null if there are errors.")


@strawberry.type(description="The result of `loginSessionRevoke`.")
class LoginSessionRevokePayload(Payload):
    """The answer of `loginSessionRevoke`."""

    login_session: LoginSession | None = strawberry.field(
        description="The login session that was ended. Null if there are errors."
    )


@strawberry.type
class UserMutation:
    """The users' part of the mutation root."""

    @strawberry.mutation(description="Register a new user and sign in. The first user becomes an operator.")
    @payload(UserRegisterPayload)
    async def user_register(self, info: Info, input: Annotated[UserRegisterInput, INPUT]) -> UserRegisterPayload | None:
        """Register."""
        signed = await users.register(info.context, input.email, input.password, input.display_name)
        return answer(UserRegisterPayload, user=signed.user, token=signed.token, expires_at=signed.expires_at)

    @strawberry.mutation(
        description=(
            "Sign in with email and password. After ten wrong passwords within a minute, further attempts are delayed."
        )
    )
    @payload(UserLoginPayload)
    async def user_login(self, info: Info, input: Annotated[UserLoginInput, INPUT]) -> UserLoginPayload | None:
        """Sign in."""
        signed = await users.login(info.context, input.email, input.password)
        return answer(UserLoginPayload, user=signed.user, token=signed.token, expires_at=signed.expires_at)

    @strawberry.mutation(
        description="Sign out: revoke the credential with which this request is made, and close its WebSocket "
        "connections."
    )
    @payload(UserLogoutPayload)
    async def user_logout(self, info: Info) -> UserLogoutPayload | None:
        """Sign out."""
        await users.logout(info.context)
        return answer(UserLogoutPayload)

    @strawberry.mutation(
        description="Change the name or the password of the user. A new password signs out all other clients."
    )
    @payload(UserUpdatePayload)
    async def user_update(self, info: Info, input: Annotated[UserUpdateInput, INPUT]) -> UserUpdatePayload | None:
        """Change the user."""
        name, password = change(input.display_name), change(input.password)
        changed = await users.update(
            info.context, name, password, input.current_password, revoke_api_keys=input.revoke_api_keys
        )
        return answer(UserUpdatePayload, user=changed)

    @strawberry.mutation(
        description=(
            "Create an API key. It requires a login session: an API key can't create another, and receives the error "
            "FORBIDDEN. A user can have at most 100 API keys."
        )
    )
    @payload(ApiKeyCreatePayload)
    async def api_key_create(
        self, info: Info, input: Annotated[ApiKeyCreateInput, INPUT]
    ) -> ApiKeyCreatePayload | None:
        """Make a key."""
        key, secret = await users.create_api_key(info.context, input.name, frozenset(input.scopes), input.expires_at)
        return answer(ApiKeyCreatePayload, api_key=key, secret=secret)

    @strawberry.mutation(description="Revoke an API key at once, and close its WebSocket connections.")
    @payload(ApiKeyRevokePayload)
    async def api_key_revoke(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the API key.")]
    ) -> ApiKeyRevokePayload | None:
        """End a key."""
        info.context.require(domain.ApiScope.ADMIN)
        key = await users.revoke_api_key(info.context, decode_uuid(id, "ApiKey", ("id",)))
        return answer(ApiKeyRevokePayload, api_key=key)

    @strawberry.mutation(description="End a login session at once, and close its WebSocket connections.")
    @payload(LoginSessionRevokePayload)
    async def login_session_revoke(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the login session.")]
    ) -> LoginSessionRevokePayload | None:
        """End a login session."""
        info.context.require(domain.ApiScope.ADMIN)
        session = await users.revoke_login_session(info.context, decode_uuid(id, "LoginSession", ("id",)))
        return answer(LoginSessionRevokePayload, login_session=session)
