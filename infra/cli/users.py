"""`r3edge user`: changes users, for the operator of the machine."""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from infra.cli.exit_codes import FAILED
from infra.cli.options import DataDirectory, log_warnings_alone, run_command
from infra.settings import Settings, load_settings

if TYPE_CHECKING:
    from domain.users.invitations import NewInvitation
    from infra.runtime.backends import Backends


class InvitedRole(StrEnum):
    """The role that an invited user has."""

    USER = "user"
    OPERATOR = "operator"


Role = Annotated[InvitedRole, typer.Option("--role", help="What the invited becomes.")]
Days = Annotated[int, typer.Option("--days", min=1, max=90, help="For how many days the invitation is valid.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]

user_app = typer.Typer(help="Users, for the operator of the machine.", no_args_is_help=True, rich_markup_mode=None)


@user_app.command("invite")
def invite(email: str, role: Role = InvitedRole.USER, days: Days = 7, data_dir: DataDirectory = None) -> None:
    """Let somebody register, also while registration is closed; without a mail server the code is printed."""
    from domain.users.mail_composer import INVITATION_ACTION, code_link  # noqa: PLC0415  # other commands start without

    settings = _settings(data_dir)
    made = run_command(invite_user(settings, email, role, timedelta(days=days)))
    until = f"{made.invitation.expires_at:%Y-%m-%d %H:%M} (UTC)"
    if made.code is None:
        print(f"{made.invitation.email} gets a mail with an invitation, valid until {until}")
        return
    link = code_link(settings.app_url, INVITATION_ACTION, made.code)
    print("\n".join(filter(None, (link, made.code))))
    print(f"\nGive it to {made.invitation.email}: the mutation userRegister takes the code, once, until {until}.")


@user_app.command("promote")
def promote(email: str, data_dir: DataDirectory = None) -> None:
    """Make a registered user an operator."""
    if not run_command(promote_user(_settings(data_dir), email)):
        _end_unknown(email)
    print(f"{email} is an operator now")


@user_app.command("reset-password")
def reset_password(email: str, data_dir: DataDirectory = None) -> None:
    """Print a code that sets a user a new password, for one who has forgotten it."""
    code = run_command(make_reset_code(_settings(data_dir), email))
    if code is None:
        _end_unknown(email)
    print(f"{code}\n\nGive it to {email}: the mutation passwordReset takes it, once, within an hour.")


@user_app.command("reset-two-factor")
def reset_two_factor(email: str, data_dir: DataDirectory = None) -> None:
    """Turn two-factor authentication off for a user who has lost the app and the recovery codes."""
    if not run_command(remove_two_factor(_settings(data_dir), email)):
        print(f"nobody with two-factor authentication is registered as {email}", file=sys.stderr)
        raise SystemExit(FAILED)
    print(f"{email} signs in with the password alone now")


@user_app.command("erase")
def erase(email: str, *, yes: Yes = False, data_dir: DataDirectory = None) -> None:
    """Erase a user for good; records of trading stay under an id that names nobody."""
    settings = _settings(data_dir)
    if not yes:
        typer.confirm(f"Erase {email} for good?", abort=True)
    if not run_command(erase_user(settings, email)):
        _end_unknown(email)
    print(f"{email} is erased")


async def invite_user(settings: Settings, email: str, role: InvitedRole, life: timedelta) -> "NewInvitation":
    """Invite an email; ends with an error if somebody has it."""
    from domain.model.users import UserRole  # noqa: PLC0415  # other commands start without
    from domain.users.invitations import InvitationService  # noqa: PLC0415  # as above
    from domain.users.user_mails import UserMails  # noqa: PLC0415  # as above
    from infra.security import RandomTokens  # noqa: PLC0415  # as above

    async with _backends(settings) as backends:
        mails = UserMails(backends.ids, is_configured=settings.smtp_host is not None)
        service = InvitationService(backends.database, mails, RandomTokens(), backends.clock, backends.ids)
        return await service.invite_by_machine(email, UserRole[role.name], backends.clock.now() + life)


async def promote_user(settings: Settings, email: str) -> bool:
    """Make a user an operator; False if nobody has that email."""
    from domain.core.validation import normalise_email  # noqa: PLC0415  # other commands start without
    from domain.model.users import UserRole  # noqa: PLC0415  # as above
    from domain.users.activity import record_activity  # noqa: PLC0415  # as above

    async with _backends(settings) as backends, backends.database.transaction() as transaction:
        user = await transaction.users.set_role(normalise_email(email), UserRole.OPERATOR)
        if user is None:
            return False
        action, now = ("userPromote", ("User", str(user.id)), "by an operator"), backends.clock.now()
        await record_activity(transaction, backends.ids, now, user.id, *action)
        return True


async def make_reset_code(settings: Settings, email: str) -> str | None:
    """Return a new reset code for the user with that email; None if nobody has it."""
    from domain.users.mail_composer import RESET_CODE_LIFE  # noqa: PLC0415  # other commands start without
    from domain.users.password_reset import create_reset_code  # noqa: PLC0415  # as above
    from infra.security import RandomTokens  # noqa: PLC0415  # as above

    async with _backends(settings) as backends:
        made_by = (backends.database, RandomTokens(), backends.clock, backends.ids)
        return await create_reset_code(*made_by, email, RESET_CODE_LIFE)


async def remove_two_factor(settings: Settings, email: str) -> bool:
    """Turn a user's two-factor authentication off; False if nobody with that email has it on."""
    from domain.core.validation import normalise_email  # noqa: PLC0415  # other commands start without
    from domain.users.two_factor import reset_two_factor as reset  # noqa: PLC0415  # as above
    from domain.users.user_mails import UserMails  # noqa: PLC0415  # as above

    async with _backends(settings) as backends:
        mails = UserMails(backends.ids, is_configured=settings.smtp_host is not None)
        return await reset(backends.database, mails, backends.clock, backends.ids, normalise_email(email))


async def erase_user(settings: Settings, email: str) -> bool:
    """Erase the user with that email; False if nobody has it. Ends with an error while anything of theirs trades."""
    from domain.core.validation import normalise_email  # noqa: PLC0415  # other commands start without
    from domain.personal_data.erasure import Erasure  # noqa: PLC0415  # as above
    from domain.users.authentication import Authenticator  # noqa: PLC0415  # as above

    async with _backends(settings) as backends:
        async with backends.database.read_only() as reading:
            found = await reading.users.get_by_email(normalise_email(email))
        if found is None:
            return False
        authenticator = Authenticator(backends.database, backends.cache, backends.bus, backends.clock)
        erasure = Erasure(backends.database, authenticator, backends.bus, backends.clock, backends.ids)
        await erasure.erase(found[0].id, "userErase", "by an operator")
        return True


@asynccontextmanager
async def _backends(settings: Settings) -> AsyncIterator["Backends"]:
    from infra.runtime.backends import database, open_backends  # noqa: PLC0415  # other commands start without
    from infra.runtime.data_dir import held_data_dir  # noqa: PLC0415  # as above

    with held_data_dir(settings) as data_dir:
        async with database(settings, data_dir) as dsn, open_backends(settings, dsn) as backends:
            yield backends


def _settings(data_dir: DataDirectory) -> Settings:
    settings = load_settings(data_dir=data_dir)
    log_warnings_alone(settings)
    return settings


def _end_unknown(email: str) -> NoReturn:
    print(f"nobody is registered as {email}", file=sys.stderr)
    raise SystemExit(FAILED)
