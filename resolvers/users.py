"""Users: login sessions, API keys, and the activity log."""

from datetime import datetime
from uuid import UUID

from domain.core.changes import Unchanged
from domain.core.errors import Forbidden
from domain.core.pagination import CursorScope, Page
from domain.core.time import validate_time_range
from domain.model.administration import ManagedUser
from domain.model.events import encode_event_cursor
from domain.model.users import Activity, ApiKey, ApiScope, LoginSession, User
from domain.ports.lists import ActivityFilter
from domain.users.password_hashing import NO_PASSWORD
from domain.users.profile import ProfileChanges
from domain.users.sign_in import SignedIn
from domain.users.two_factor import NewSecret
from resolvers.context import RequestContext
from resolvers.lists import TimeOrder, list_page, owned_by
from resolvers.pagination import PageArguments


async def viewer(context: RequestContext) -> User | None:
    """Return the user of the request as stored now; None if nobody is signed in."""
    if context.user_id is None:
        return None
    async with context.reads.read_only() as reading:
        return await reading.users.get(context.user_id)


async def event_cursor(context: RequestContext, user: User) -> str:
    """Return the cursor after the newest event of the user's log."""
    return encode_event_cursor(await context.services.events.head(user.id))


async def api_keys(context: RequestContext, user: User) -> list[ApiKey]:
    """Return the user's keys that weren't revoked, newest first."""
    async with context.reads.read_only() as reading:
        return await reading.users.api_keys(user.id)


async def login_sessions(context: RequestContext, user: User) -> list[LoginSession]:
    """Return the user's live login sessions, newest first."""
    async with context.reads.read_only() as reading:
        return await reading.users.login_sessions(user.id, context.services.clock.now())


async def has_password(context: RequestContext, user: User) -> bool:
    """Return whether the user can sign in by password."""
    async with context.reads.read_only() as reading:
        return await reading.users.password_hash(user.id) != NO_PASSWORD


def is_current(context: RequestContext, session: LoginSession) -> bool:
    """Return whether this request came with the login session's token."""
    return context.identity is not None and context.identity.credential_id == session.id


async def activity(
    context: RequestContext,
    user: User | ManagedUser,
    page: PageArguments,
    filter: ActivityFilter,
    order: TimeOrder = TimeOrder.NEWEST_FIRST,
) -> Page[Activity]:
    """Return a page of the user's activity log."""
    validate_time_range(filter.start, filter.end)
    scope = CursorScope("activity", str(user.id))
    return await list_page(context.lists.activity, scope, owned_by(user, filter), page, order)


async def register(
    context: RequestContext, email: str, password: str, display_name: str | None, invitation_code: str | None
) -> SignedIn:
    """Register a user and sign them in."""
    client = (context.address, context.device)
    return await context.services.users.register(email, password, display_name, *client, invitation_code)


async def login(context: RequestContext, email: str, password: str, two_factor_code: str | None) -> SignedIn:
    """Sign in."""
    return await context.services.users.login(email, password, context.address, two_factor_code, context.device)


async def logout(context: RequestContext) -> None:
    """Revoke the login session that this request came with."""
    await context.services.users.logout(context.require(ApiScope.READ))


async def update(
    context: RequestContext,
    display_name: str | Unchanged | None,
    password: str | Unchanged | None,
    current_password: str | None,
    profile: ProfileChanges,
    *,
    revoke_api_keys: bool,
    revoke_signal_webhooks: bool,
) -> User:
    """Change profile or password, and revoke API keys and webhooks."""
    identity, users = context.require(ApiScope.ADMIN), context.services.users
    return await users.update(
        identity,
        display_name,
        password,
        current_password,
        profile=profile,
        revoke_api_keys=revoke_api_keys,
        revoke_signal_webhooks=revoke_signal_webhooks,
    )


async def recovery_codes_left(context: RequestContext, user: User) -> int | None:
    """Return how many recovery codes the user has; None without a second factor."""
    if user.two_factor_enabled_at is None:
        return None
    async with context.services.database.read_only() as reading:
        return await reading.two_factors.count_recovery_codes(user.id)


async def set_up_two_factor(context: RequestContext, password: str | None) -> NewSecret:
    """Return a new secret for an authenticator app."""
    return await context.services.two_factor.set_up(context.require(ApiScope.ADMIN), password)


async def enable_two_factor(context: RequestContext, code: str) -> list[str]:
    """Enable the secret that was set up; return the recovery codes."""
    return await context.services.two_factor.enable(context.require(ApiScope.ADMIN), code)


async def disable_two_factor(context: RequestContext, code: str) -> None:
    """Take the second factor away."""
    await context.services.two_factor.disable(context.require(ApiScope.ADMIN), code)


async def replace_recovery_codes(context: RequestContext, code: str) -> list[str]:
    """Return new recovery codes."""
    return await context.services.two_factor.replace_recovery_codes(context.require(ApiScope.ADMIN), code)


async def send_email_verification(context: RequestContext) -> None:
    """Send the user a mail with a code that verifies the email."""
    await context.services.emails.send_verification(context.require(ApiScope.ADMIN), context.address)


async def change_email(context: RequestContext, email: str, password: str | None) -> None:
    """Send a mail with a code to the new email."""
    await context.services.emails.request_change(context.require(ApiScope.ADMIN), email, password, context.address)


async def verify_email(context: RequestContext, code: str) -> str:
    """Verify an email by the code that was sent to it; return it."""
    identity = context.require(ApiScope.ADMIN)
    if not identity.is_login_session:
        raise Forbidden("An API key can't verify an email address; sign in to do so.")
    return await context.services.emails.verify(code, context.address, identity.user.id)


async def request_password_reset(context: RequestContext, email: str) -> None:
    """Have a reset code sent to the email, if somebody has it."""
    await context.services.password_resets.request(email, context.address)


async def reset_password(context: RequestContext, code: str, password: str, *, revoke_api_keys: bool) -> None:
    """Set a new password by a reset code."""
    resets, signed_in = context.services.password_resets, _signed_in(context)
    await resets.reset(code, password, context.address, signed_in, revoke_api_keys=revoke_api_keys)


def _signed_in(context: RequestContext) -> UUID | None:
    return context.identity.user.id if context.identity else None


async def create_api_key(
    context: RequestContext,
    name: str,
    scopes: frozenset[ApiScope],
    expires_at: datetime | None,
    requests_per_minute: int | None,
) -> tuple[ApiKey, str]:
    """Return a new key and its secret."""
    identity, keys = context.require(ApiScope.ADMIN), context.services.api_keys
    return await keys.create(identity, name, scopes, expires_at, requests_per_minute)


async def revoke_api_key(context: RequestContext, key_id: UUID) -> ApiKey:
    """Revoke an API key of the user."""
    return await context.services.api_keys.revoke(context.require(ApiScope.ADMIN), key_id)


async def revoke_login_session(context: RequestContext, session_id: UUID) -> LoginSession:
    """Revoke a login session of the user."""
    user = context.require_user(ApiScope.ADMIN)
    return await context.services.users.revoke_login_session(user.id, session_id)


async def confirm_login_session(context: RequestContext, password: str | None, two_factor_code: str | None) -> None:
    """Confirm the login session of the request."""
    await context.services.confirmations.confirm(context.require(ApiScope.ADMIN), password, two_factor_code)


async def revoke_other_login_sessions(context: RequestContext) -> int:
    """End all login sessions of the user but the one of the request; return how many."""
    return await context.services.users.revoke_other_login_sessions(context.require(ApiScope.ADMIN))


async def erase(context: RequestContext, password: str | None, two_factor_code: str | None) -> None:
    """Erase the user."""
    await context.services.erasure.erase(context.require(ApiScope.ADMIN), password, two_factor_code)
