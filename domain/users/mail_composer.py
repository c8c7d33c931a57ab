"""Writes the mails to users. A code is made when its mail is sent, so that no code lies in the outbox.

Nothing that a user has chosen stands in a mail: anybody can register an email of somebody else, with a name that would
make a mail of ours say what they like.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from domain.core.clock import Clock, IdGenerator
from domain.core.time import zone_of
from domain.model.mail import CodePurpose, EmailCode, Mail, MailKind, MailMessage
from domain.model.users import User
from domain.ports.unit_of_work import UnitOfWork
from domain.ports.users import TokenSource
from domain.users.activity import record_activity
from domain.users.tokens import credential_hash, new_email_code, new_invitation_code

EMAIL_CODE_LIFE: Final = timedelta(hours=24)
RESET_CODE_LIFE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class _CodeText:
    """The text around a code: `action` is the name of its link for the web page, `mutation` what takes the code."""

    subject: str
    opening: str
    ending: str
    action: str
    mutation: str


@dataclass(frozen=True, slots=True)
class _CodeMail:
    """A mail with a code."""

    purpose: CodePurpose
    life: timedelta
    text: _CodeText


@dataclass(frozen=True, slots=True)
class _Notice:
    subject: str
    text: str


INVITATION_ACTION: Final = "user-register"

_CODE_MAILS: Final = {
    MailKind.EMAIL_VERIFICATION: _CodeMail(
        CodePurpose.EMAIL_VERIFICATION,
        EMAIL_CODE_LIFE,
        _CodeText(
            "Confirm your email address",
            "Somebody, hopefully you, registered with this email address. Confirm that it is yours",
            "If it wasn't you, do nothing.",
            "email-verify",
            "emailVerify",
        ),
    ),
    MailKind.EMAIL_CHANGE: _CodeMail(
        CodePurpose.EMAIL_CHANGE,
        EMAIL_CODE_LIFE,
        _CodeText(
            "Confirm your new email address",
            "A user, hopefully you, wants to sign in with this email address from now on. Confirm that it is yours",
            "If it wasn't you, do nothing.",
            "email-verify",
            "emailVerify",
        ),
    ),
    MailKind.PASSWORD_RESET: _CodeMail(
        CodePurpose.PASSWORD_RESET,
        RESET_CODE_LIFE,
        _CodeText(
            "Reset your password",
            "Somebody, hopefully you, has forgotten the password of this email address. Set a new one",
            "If it wasn't you, do nothing: your password stays as it is.",
            "password-reset",
            "passwordReset",
        ),
    ),
}
_INVITATION: Final = _CodeText(
    "You are invited to r3edge",
    "An operator of an r3edge engine invites you to register there with this email address. Do so",
    "If you don't want to, do nothing: nobody has registered you.",
    INVITATION_ACTION,
    "userRegister",
)
_NOTICES: Final = {
    MailKind.EMAIL_CHANGE_REQUESTED: _Notice(
        "A new email address was asked for",
        "somebody, hopefully you, asked for another email address to sign in with. It becomes yours when the code that "
        "was sent there comes back. A new password stops that.",
    ),
    MailKind.EMAIL_CHANGED: _Notice(
        "Your email address was changed",
        "you sign in with another email address from now on, and receive no more mails at this one.",
    ),
    MailKind.PASSWORD_CHANGED: _Notice(
        "Your password was changed",
        "your password was changed, and all other clients were signed out. API keys stay valid unless you revoked "
        "them.",
    ),
    MailKind.SIGN_IN: _Notice(
        "A new sign-in",
        "somebody, hopefully you, signed in as you on a device that is new here.",
    ),
    MailKind.TWO_FACTOR_ENABLED: _Notice(
        "Two-factor authentication is on",
        "two-factor authentication was turned on: signing in takes a code of your authenticator app from now on. Keep "
        "the recovery codes where you find them without it.",
    ),
    MailKind.TWO_FACTOR_DISABLED: _Notice(
        "Two-factor authentication is off",
        "two-factor authentication was turned off: signing in takes your password alone.",
    ),
    MailKind.USER_DISABLED: _Notice(
        "You were disabled",
        "an operator disabled you as a user: nobody can sign in as you, your API keys rest, and your trading is "
        "halted. Nothing of yours is deleted.",
    ),
    MailKind.USER_ENABLED: _Notice(
        "You were enabled again",
        "an operator enabled you as a user again: sign in as before. Your API keys are good again.",
    ),
    MailKind.ROLE_CHANGED: _Notice("Your role was changed", "an operator changed your role on this server."),
    MailKind.IDENTITY_LINKED: _Notice(
        "A way to sign in was added",
        "a user of that provider was linked to your account: signing in there as that user signs in here as you.",
    ),
    MailKind.IDENTITY_UNLINKED: _Notice(
        "A way to sign in was removed",
        "a user of that provider was unlinked from your account, and no longer signs in here as you.",
    ),
}
_NOTICE_END: Final = "If it wasn't you, somebody else may have your account: ask the operator of this server for help."
_BY_OPERATORS: Final = frozenset({MailKind.USER_DISABLED, MailKind.USER_ENABLED, MailKind.ROLE_CHANGED})
_BY_OPERATORS_END: Final = "If you don't know why, ask the operator of this server."


class UserMailComposer:
    """Writes the mails of all kinds; links lead to `app_url`, without which a mail has its code alone."""

    def __init__(self, tokens: TokenSource, clock: Clock, ids: IdGenerator, app_url: str | None) -> None:
        self._tokens = tokens
        self._clock = clock
        self._ids = ids
        self._app_url = app_url

    async def compose(self, transaction: UnitOfWork, mail: Mail) -> MailMessage | None:
        """See `domain.mail.sender.MailComposer`."""
        if mail.kind is MailKind.INVITATION:
            return await self._compose_invitation(transaction, mail)
        user = await _receiver(transaction, mail)
        if user is None:
            return None
        code_mail = _CODE_MAILS.get(mail.kind)
        if code_mail is None:
            notice = _NOTICES[mail.kind]
            when = " ".join(filter(None, (f"on {_shown(mail.created_at, user)}", mail.detail)))
            ending = _BY_OPERATORS_END if mail.kind in _BY_OPERATORS else _NOTICE_END
            text = f"Hello,\n\n{when} {notice.text}\n\n{ending}\n"
            return MailMessage(mail.id, mail.recipient, notice.subject, text)
        if mail.kind is MailKind.PASSWORD_RESET and mail.attempts == 1:
            # Who asked isn't known; whom it is about is found here.
            subject = ("User", str(user.id))
            await record_activity(transaction, self._ids, mail.created_at, user.id, "passwordResetRequest", subject)
        code, now = new_email_code(self._tokens), self._clock.now()
        expires_at = now + code_mail.life
        stored = EmailCode(user.id, code_mail.purpose, mail.recipient, now, expires_at)
        await transaction.email_codes.add(stored, credential_hash(code))
        text = self._code_text(code_mail.text, code, _shown(expires_at, user))
        return MailMessage(mail.id, mail.recipient, code_mail.text.subject, text)

    async def _compose_invitation(self, transaction: UnitOfWork, mail: Mail) -> MailMessage | None:
        invitation = await transaction.invitations.open_of_email(mail.recipient, self._clock.now())
        if (
            invitation is None or invitation.created_at != mail.created_at
        ):  # it has ended, or a newer mail has a newer one
            return None
        code = new_invitation_code(self._tokens)
        await transaction.invitations.add_code(invitation.id, credential_hash(code), sent_by_mail=True)
        until = f"{invitation.expires_at:%Y-%m-%d %H:%M} (UTC)"
        return MailMessage(mail.id, mail.recipient, _INVITATION.subject, self._code_text(_INVITATION, code, until))

    def _code_text(self, mail: _CodeText, code: str, until: str) -> str:
        by_hand = f"with this code, which {mail.mutation} takes:\n\n{code}"
        url = code_link(self._app_url, mail.action, code)
        link = by_hand if url is None else f"by this link:\n\n{url}\n\nor {by_hand}"
        return f"Hello,\n\n{mail.opening} {link}\n\nIt can be used once, until {until}.\n\n{mail.ending}\n"


def code_link(app_url: str | None, action: str, code: str) -> str | None:
    """Return the link with which the web page at `app_url` gets a code; None without a page.

    What follows the # isn't sent to any server, so that the code stands in no log.
    """
    return f"{app_url}#{action}={code}" if app_url else None


async def _receiver(transaction: UnitOfWork, mail: Mail) -> User | None:
    """Return the user whom the mail is for; None if nobody is to receive it (any more)."""
    found = await transaction.users.get_by_email(mail.recipient)
    holder = found[0] if found else None
    if mail.kind is MailKind.PASSWORD_RESET:
        return holder
    assert mail.user_id is not None
    if mail.kind is MailKind.EMAIL_CHANGE:
        # Another user has the address: who asked for it learns nothing, and neither is bothered.
        return await transaction.users.get(mail.user_id) if holder is None else None
    if mail.kind is MailKind.EMAIL_VERIFICATION:
        is_due = holder is not None and holder.id == mail.user_id and holder.email_verified_at is None
        return holder if is_due else None
    return await transaction.users.get(mail.user_id)


def _shown(at: datetime, user: User) -> str:
    local = at.astimezone(zone_of(user.time_zone))
    return f"{local:%Y-%m-%d %H:%M} ({local.tzinfo})"
