"""Sign-in at OpenID providers, and the identities that are linked to a user."""

from collections.abc import Sequence
from typing import Final

from domain.model.oidc import LinkedIdentity, SignInProvider
from domain.model.users import ApiScope, User
from domain.users.oidc_attempts import StartedAttempt
from domain.users.sign_in import SignedIn
from resolvers.context import RequestContext
from resolvers.filters import UNKNOWN_ID
from resolvers.ids import uuid_in

SIGN_IN_PATH: Final = "/sign-in/"
CALLBACK: Final = "/callback"


def callback_path(provider: str) -> str:
    """Return the path to which a provider sends browsers back."""
    return f"{SIGN_IN_PATH}{provider}{CALLBACK}"


def providers(context: RequestContext) -> Sequence[SignInProvider]:
    """Return the providers at which users can sign in."""
    return tuple(context.services.sign_in_providers.values())


async def linked_identities(context: RequestContext, user: User) -> list[LinkedIdentity]:
    """Return the user's linked identities, newest first."""
    async with context.reads.read_only() as reading:
        return await reading.oidc.list_of_user(user.id)


async def start(context: RequestContext, provider: str, challenge: str) -> StartedAttempt:
    """Start a sign-in at a provider."""
    return await context.services.oidc_attempts.start(provider, challenge, context.address)


async def sign_in(
    context: RequestContext, code: str, verifier: str, two_factor_code: str | None, invitation_code: str | None
) -> SignedIn:
    """Sign in, or register, by what the browser brought back from a provider."""
    service, factors = context.services.oidc, (two_factor_code, invitation_code)
    return await service.sign_in(code, verifier, context.address, *factors, context.device)


async def link(context: RequestContext, code: str, verifier: str) -> LinkedIdentity:
    """Link an identity to the user."""
    return await context.services.oidc.link(context.require(ApiScope.ADMIN), code, verifier, context.address)


async def unlink(context: RequestContext, id: str) -> LinkedIdentity:
    """Unlink the identity with this global id; raises NOT_FOUND."""
    identity_id = uuid_in(id, "LinkedIdentity") or UNKNOWN_ID
    return await context.services.oidc.unlink(context.require(ApiScope.ADMIN), identity_id)
