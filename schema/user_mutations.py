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


@strawberry.input(description="Who wants to register.")
class UserRegisterInput:
    """The input of `userRegister`."""

    email: str = strawberry.field(description="Unique among users; case doesn't matter.")
    password: str = strawberry.field(description="At least 10 characters.")
    display_name: str | None = strawberry.field(default=None, description="What the user wants to be called.")


@strawberry.type(description="The new user, signed in.")
class UserRegisterPayload(Payload):
    """The answer of `userRegister`."""

    user: User | None = strawberry.field(description="The user; null where there are errors.")
    token: str | None = strawberry.field(description="Send it as `Authorization: Bearer …`; shown here alone.")
    expires_at: datetime | None = strawberry.field(description="When the token ends.")


@strawberry.input(description="Who wants to sign in.")
class UserLoginInput:
    """The input of `userLogin`."""

    email: str = strawberry.field(description="As registered; case doesn't matter.")
    password: str = strawberry.field(description="The password.")


@strawberry.type(description="The user, signed in.")
class UserLoginPayload(Payload):
    """The answer of `userLogin`."""

    user: User | None = strawberry.field(description="The user; null where there are errors.")
    token: str | None = strawberry.field(description="Send it as `Authorization: Bearer …`; shown here alone.")
    expires_at: datetime | None = strawberry.field(description="When the token ends.")


@strawberry.type(description="Nothing but errors.")
class UserLogoutPayload(Payload):
    """The answer of `userLogout`."""


@strawberry.input(description="What is to change; what isn't given stays.")
class UserUpdateInput:
    """The input of `userUpdate`."""

    display_name: str | None = strawberry.field(default=strawberry.UNSET, description="Null takes the name away.")
    password: str | None = strawberry.field(
        default=strawberry.UNSET, description="A new one; needs `currentPassword`. It can't be null."
    )
    current_password: str | None = strawberry.field(default=None, description="The present password.")
    revoke_api_keys: bool = strawberry.field(
        default=False, description="Also end all API keys, but the one that this request came with, if it did."
    )


@strawberry.type(description="The user as changed.")
class UserUpdatePayload(Payload):
    """The answer of `userUpdate`."""

    user: User | None = strawberry.field(description="The user; null where there are errors.")


@strawberry.input(description="What the key is to be.")
class ApiKeyCreateInput:
    """The input of `apiKeyCreate`."""

    name: str = strawberry.field(description="What it is for.")
    scopes: list[domain.ApiScope] = strawberry.field(description="At least one.")
    expires_at: datetime | None = strawberry.field(default=None, description="When it ends by itself.")


@strawberry.type(description="`secret` is shown here once and never again.")
class ApiKeyCreatePayload(Payload):
    """The answer of `apiKeyCreate`."""

    api_key: ApiKey | None = strawberry.field(description="The key; null where there are errors.")
    secret: str | None = strawberry.field(description="Send it as `Authorization: Bearer …`.")


@strawberry.type(description="The key that is no longer good.")
class ApiKeyRevokePayload(Payload):
    """The answer of `apiKeyRevoke`."""

    api_key: ApiKey | None = strawberry.field(description="The key; null where there are errors.")


@strawberry.type(description="The session that has ended.")
class LoginSessionRevokePayload(Payload):
    """The answer of `loginSessionRevoke`."""

    login_session: LoginSession | None = strawberry.field(description="The session; null where there are errors.")


@strawberry.type
class UserMutation:
    """The users' part of the mutation root."""

    @strawberry.mutation(description="Make a user and sign in. The first user of all is the operator.")
    @payload(UserRegisterPayload)
    async def user_register(self, info: Info, input: Annotated[UserRegisterInput, INPUT]) -> UserRegisterPayload | None:
        """Register."""
        signed = await users.register(info.context, input.email, input.password, input.display_name)
        return answer(UserRegisterPayload, user=signed.user, token=signed.token, expires_at=signed.expires_at)

    @strawberry.mutation(description="Sign in. Ten wrong passwords in a minute slow further tries down.")
    @payload(UserLoginPayload)
    async def user_login(self, info: Info, input: Annotated[UserLoginInput, INPUT]) -> UserLoginPayload | None:
        """Sign in."""
        signed = await users.login(info.context, input.email, input.password)
        return answer(UserLoginPayload, user=signed.user, token=signed.token, expires_at=signed.expires_at)

    @strawberry.mutation(description="Make the token that this request came with worthless, and close its sockets.")
    @payload(UserLogoutPayload)
    async def user_logout(self, info: Info) -> UserLogoutPayload | None:
        """Sign out."""
        await users.logout(info.context)
        return answer(UserLogoutPayload)

    @strawberry.mutation(description="Change name or password; a new password signs all other clients out.")
    @payload(UserUpdatePayload)
    async def user_update(self, info: Info, input: Annotated[UserUpdateInput, INPUT]) -> UserUpdatePayload | None:
        """Change the user."""
        name, password = change(input.display_name), change(input.password)
        changed = await users.update(
            info.context, name, password, input.current_password, revoke_api_keys=input.revoke_api_keys
        )
        return answer(UserUpdatePayload, user=changed)

    @strawberry.mutation(description="Make an API key. It takes a login session: a key is `FORBIDDEN` to make another.")
    @payload(ApiKeyCreatePayload)
    async def api_key_create(
        self, info: Info, input: Annotated[ApiKeyCreateInput, INPUT]
    ) -> ApiKeyCreatePayload | None:
        """Make a key."""
        key, secret = await users.create_api_key(info.context, input.name, frozenset(input.scopes), input.expires_at)
        return answer(ApiKeyCreatePayload, api_key=key, secret=secret)

    @strawberry.mutation(description="End an API key at once.")
    @payload(ApiKeyRevokePayload)
    async def api_key_revoke(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The API key.")]
    ) -> ApiKeyRevokePayload | None:
        """End a key."""
        info.context.require(domain.ApiScope.ADMIN)
        key = await users.revoke_api_key(info.context, decode_uuid(id, "ApiKey", ("id",)))
        return answer(ApiKeyRevokePayload, api_key=key)

    @strawberry.mutation(description="Sign a client out at once.")
    @payload(LoginSessionRevokePayload)
    async def login_session_revoke(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The login session.")]
    ) -> LoginSessionRevokePayload | None:
        """End a login session."""
        info.context.require(domain.ApiScope.ADMIN)
        session = await users.revoke_login_session(info.context, decode_uuid(id, "LoginSession", ("id",)))
        return answer(LoginSessionRevokePayload, login_session=session)
