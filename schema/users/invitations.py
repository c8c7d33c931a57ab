"""Invitations: operators invite new users by email, list invitations and withdraw them."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain.model import invitations as domain
from domain.model.invitations import InvitationStatus
from domain.model.users import ApiScope, UserRole
from resolvers import invitations
from resolvers.pagination import PageArguments
from schema.common.arguments import connection_field
from schema.common.enums import describe_enum
from schema.common.mutations import INPUT, Fields, Payload, mutation
from schema.common.node import Node, instance_of
from schema.common.pagination import connection
from schema.common.types import Info

describe_enum(
    InvitationStatus,
    "What has become of an invitation.",
    {
        "OPEN": "The invited can register.",
        "ACCEPTED": "The invited has registered.",
        "WITHDRAWN": "An operator has withdrawn the invitation, or has invited the same email address again.",
        "EXPIRED": "The invited did not register in time.",
    },
)


@strawberry.type(description="An invitation to register. Only operators can see it.")
class Invitation(Node):
    is_type_of = instance_of(domain.Invitation)

    email: str = strawberry.field(description="The invited email address, in lower case.")
    role: UserRole = strawberry.field(description="The role that the invited has after registering.")
    created_at: datetime = strawberry.field(description="When the invitation was made.")
    expires_at: datetime = strawberry.field(description="When the invitation expires, or would have expired.")
    accepted_at: datetime | None = strawberry.field(
        description="When the invited registered by the invitation. Null if they haven't."
    )
    withdrawn_at: datetime | None = strawberry.field(
        description="When the invitation was withdrawn. Null if it wasn't."
    )

    @strawberry.field(description="What has become of the invitation.")
    def status(parent: strawberry.Parent[domain.Invitation], info: Info) -> InvitationStatus:
        return invitations.status(info.context, parent)


InvitationConnection = connection(Invitation, "invitations", counted=False)


@strawberry.input(description="The user to invite.")
class UserInviteInput:
    email: str = strawberry.field(
        description="The email address of the invited, who registers with it. Upper and lower case are the same."
    )
    role: UserRole = strawberry.field(
        default=UserRole.USER,
        description="The role that the invited has after registering. To invite an operator requires a login session "
        "with a recent sign-in: otherwise the error is CONFIRMATION_REQUIRED, or FORBIDDEN for an API key.",
    )
    expires_at: datetime | None = strawberry.field(
        default=None,
        description="The time at which the invitation expires, at most 90 days from now. By default it is valid for 7 "
        "days.",
    )


@strawberry.type(description="The result of `userInvite`.")
class UserInvitePayload(Payload):
    invitation: Invitation | None = strawberry.field(description="The new invitation. Null if there are errors.")
    code: str | None = strawberry.field(
        description="The code that `userRegister` takes from the invited. It can't be read again. Null if the engine "
        "has sent it by mail, or there are errors."
    )
    link: str | None = strawberry.field(
        description="The link to the engine's web page with the code. Null if there is no code, or the engine has no "
        "web page."
    )


@strawberry.type(description="The result of `invitationWithdraw`.")
class InvitationWithdrawPayload(Payload):
    invitation: Invitation | None = strawberry.field(description="The withdrawn invitation. Null if there are errors.")


@strawberry.type
class InvitationQuery:
    @connection_field(
        InvitationConnection | None,
        description="All invitations, newest first, until 30 days after their end. Only operators can see them, with "
        "the scope ADMIN.",
    )
    async def invitations(self, info: Info, page: PageArguments) -> object:
        return await invitations.invitations(info.context, page)


@strawberry.type
class InvitationMutation:
    @mutation(
        UserInvitePayload,
        scope=ApiScope.ADMIN,
        description="Invite somebody to register with an email address, also while registration is closed. Only "
        "operators can. The engine sends a mail with a code; an engine that sends no mail returns the code. An earlier "
        "invitation of the same email address is withdrawn. EMAIL_TAKEN if a user has the email address, LIMIT_REACHED "
        "at 1,000 open invitations.",
    )
    async def user_invite(self, info: Info, input: Annotated[UserInviteInput, INPUT]) -> Fields:
        made = await invitations.invite(info.context, input.email, input.role, input.expires_at)
        return {
            "invitation": made.invitation,
            "code": made.code,
            "link": invitations.link(info.context, made.code),
        }

    @mutation(
        InvitationWithdrawPayload,
        scope=ApiScope.ADMIN,
        description="Withdraw an invitation: nobody can register by it any more. Only operators can. CONFLICT if the "
        "invitation isn't open.",
    )
    async def invitation_withdraw(
        self, info: Info, id: Annotated[strawberry.ID, strawberry.argument(description="The id of the invitation.")]
    ) -> Fields:
        return {"invitation": await invitations.withdraw(info.context, id)}
