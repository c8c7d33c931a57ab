"""Signing in at OpenID providers, and linking identities there to the user."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.model.users import ApiScope
from resolvers import oidc
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.types import Info
from schema.users.identities import LinkedIdentity
from schema.users.types import User


@strawberry.input(description="The sign-in to start.")
class OidcStartInput:
    provider: str = strawberry.field(description="The name of the provider, one of `engine { signInProviders }`.")
    challenge: str = strawberry.field(
        description="The SHA-256 of a secret, the verifier, in base64 for URLs without padding (RFC 7636). Make a new "
        "random verifier for each sign-in, and keep it: what the browser brings back is worthless without it."
    )


@strawberry.input(description="What proves a sign-in at a provider.")
class OidcSignInInput:
    code: str = strawberry.field(
        description="The code that the browser brought back, after `#sign-in=`. It can be used once, for 5 minutes."
    )
    verifier: str = strawberry.field(description="The verifier whose challenge `oidcStart` was given.")
    two_factor_code: str | None = strawberry.field(
        default=None,
        description="The present code of the authenticator app, or a recovery code. Required if the user has "
        "two-factor authentication.",
    )
    invitation_code: str | None = strawberry.field(
        default=None,
        description="The code of an invitation of the provider's email address, to register while registration is "
        "closed.",
    )


@strawberry.input(description="What proves a sign-in at a provider.")
class OidcLinkInput:
    code: str = strawberry.field(description="The code that the browser brought back. It can be used once.")
    verifier: str = strawberry.field(description="The verifier whose challenge `oidcStart` was given.")


@strawberry.type(description="The result of `oidcStart`.")
class OidcStartPayload(Payload):
    url: str | None = strawberry.field(
        description="The address at the provider that the user's browser is to open. Null if there are errors."
    )
    expires_at: datetime | None = strawberry.field(
        description="The time until which the user can return from the provider. Null if there are errors."
    )


@strawberry.type(description="The result of `oidcSignIn`: the user, signed in.")
class OidcSignInPayload(Payload):
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


@strawberry.type(description="The result of `oidcLink`.")
class OidcLinkPayload(Payload):
    linked_identity: LinkedIdentity | None = strawberry.field(
        description="The identity that was linked. Null if there are errors."
    )


@strawberry.type(description="The result of `oidcUnlink`.")
class OidcUnlinkPayload(Payload):
    linked_identity: LinkedIdentity | None = strawberry.field(
        description="The identity that was unlinked. Null if there are errors."
    )


@strawberry.type
class OidcMutation:
    @mutation(
        OidcStartPayload,
        scope=None,
        description="Start a sign-in at an OpenID provider. Open the returned address in the user's browser. The "
        "browser comes back to the engine's web page with a code, which `oidcSignIn` or `oidcLink` takes. NOT_FOUND if "
        "the engine has no such provider.",
    )
    async def oidc_start(self, info: Info, input: Annotated[OidcStartInput, INPUT]) -> Fields:
        started = await oidc.start(info.context, input.provider, input.challenge)
        return {"url": started.url, "expires_at": started.attempt.expires_at}

    @mutation(
        OidcSignInPayload,
        scope=None,
        description="Sign in by an identity at a provider. If the identity is linked to no user, a new user is "
        "registered with the email address that the provider gives; `userRegister` says who may register. EMAIL_TAKEN "
        "if a user has that email address: that user links the identity by `oidcLink`. TWO_FACTOR_REQUIRED if the user "
        "has two-factor authentication; send the same code again with `twoFactorCode`.",
    )
    async def oidc_sign_in(self, info: Info, input: Annotated[OidcSignInInput, INPUT]) -> Fields:
        signed = await oidc.sign_in(
            info.context, input.code, input.verifier, input.two_factor_code, input.invitation_code
        )
        return {"user": signed.user, "token": signed.token, "expires_at": signed.expires_at}

    @mutation(
        OidcLinkPayload,
        scope=ApiScope.ADMIN,
        description="Link an identity at a provider to the user, who can then sign in by it. It requires a login "
        "session with a recent sign-in: otherwise the error is CONFIRMATION_REQUIRED, or FORBIDDEN for an API key. "
        "CONFLICT if the identity is linked to a user already.",
    )
    async def oidc_link(self, info: Info, input: Annotated[OidcLinkInput, INPUT]) -> Fields:
        return {"linked_identity": await oidc.link(info.context, input.code, input.verifier)}

    @mutation(
        OidcUnlinkPayload,
        scope=ApiScope.ADMIN,
        description="Unlink an identity at a provider from the user. It requires a login session with a recent "
        "sign-in: otherwise the error is CONFIRMATION_REQUIRED, or FORBIDDEN for an API key. CONFLICT if the user has "
        "no password and no other identity to sign in with.",
    )
    async def oidc_unlink(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the identity.")]
    ) -> Fields:
        return {"linked_identity": await oidc.unlink(info.context, id)}
