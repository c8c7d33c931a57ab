"""Invitations of new users, which operators alone make and see."""

from datetime import datetime

from domain.core.errors import ErrorCode, InputError
from domain.core.pagination import CursorScope, Page, build_page, id_key, page_request
from domain.model.invitations import Invitation, InvitationStatus
from domain.model.users import UserRole
from domain.users.invitations import NewInvitation
from domain.users.mail_composer import INVITATION_ACTION, code_link
from resolvers.context import RequestContext
from resolvers.ids import uuid_in
from resolvers.pagination import PageArguments


async def invitations(context: RequestContext, page: PageArguments) -> Page[Invitation]:
    """Return a page of all invitations; raises `Forbidden` for anybody but an operator."""
    context.require_operator()
    request = page_request(
        CursorScope("invitations"), page.first, page.after, page.last, page.before, default=page.default
    )
    async with context.reads.read_only() as reading:
        rows = await reading.invitations.list_page(request.keyset_page())
    return build_page(request, rows, lambda row: id_key(row.id))


def status(context: RequestContext, invitation: Invitation) -> InvitationStatus:
    """Return what has become of the invitation."""
    return invitation.status(context.services.clock.now())


async def invite(context: RequestContext, email: str, role: UserRole, expires_at: datetime | None) -> NewInvitation:
    """Invite an email."""
    return await context.services.invitations.invite(context.require_operator(), email, role, expires_at)


def link(context: RequestContext, code: str | None) -> str | None:
    """Return the link with a code to the engine's web page; None without a code or a page."""
    return None if code is None else code_link(context.services.engine.app_url, INVITATION_ACTION, code)


async def withdraw(context: RequestContext, id: str) -> Invitation:
    """Withdraw the invitation with this global id; raises NOT_FOUND."""
    identity, invitation_id = context.require_operator(), uuid_in(id, "Invitation")
    if invitation_id is None:
        raise InputError(ErrorCode.NOT_FOUND, "There is no such invitation.", ("id",))
    return await context.services.invitations.withdraw(identity, invitation_id)
