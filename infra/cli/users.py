"""`r3edge user`: finds and administers users, for the operator of the machine."""

import json
import sys
from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, NoReturn, TypeVar

import typer

from domain.model.users import UserRole, UserStatus
from infra.cli.exit_codes import FAILED
from infra.cli.options import DataDirectory, command_settings, run_command
from infra.settings import Settings

if TYPE_CHECKING:
    from domain.users.invitations import NewInvitation
    from domain.users.operators import Administrator
    from infra.cli.user_actions import UserCommands

T = TypeVar("T")


class InvitedRole(StrEnum):
    """The role that an invited user has."""

    USER = "user"
    OPERATOR = "operator"


Role = Annotated[InvitedRole, typer.Option("--role", help="What the invited becomes.")]
Days = Annotated[int, typer.Option("--days", min=1, max=90, help="For how many days the invitation is valid.")]

Name = Annotated[str, typer.Argument(help="The user's email or id.", metavar="EMAIL", show_default=False)]
Reason = Annotated[str | None, typer.Option(help="Why; the user sees it.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", help="Don't ask.")]
First = Annotated[int, typer.Option(min=1, max=1_000, help="How many, the newest first.")]

user_app = typer.Typer(help="Users, for the operator of the machine.", no_args_is_help=True, rich_markup_mode=None)


@user_app.command("invite")
def invite(email: str, role: Role = InvitedRole.USER, days: Days = 7, data_dir: DataDirectory = None) -> None:
    """Let somebody register, also while registration is closed; without a mail server the code is printed."""
    from domain.users.mail_composer import INVITATION_ACTION, code_link  # noqa: PLC0415  # other commands start without

    settings = command_settings(data_dir)
    made = run_command(invite_user(settings, email, role, timedelta(days=days)))
    until = f"{made.invitation.expires_at:%Y-%m-%d %H:%M} (UTC)"
    if made.code is None:
        print(f"{made.invitation.email} gets a mail with an invitation, valid until {until}")
        return
    link = code_link(settings.app_url, INVITATION_ACTION, made.code)
    print("\n".join(filter(None, (link, made.code))))
    print(f"\nGive it to {made.invitation.email}: the mutation userRegister takes the code, once, until {until}.")


@user_app.command("list")
def list_users(
    email: Annotated[str | None, typer.Option(help="Only users whose email contains this.")] = None,
    role: Annotated[UserRole | None, typer.Option(case_sensitive=False, help="Only users with this role.")] = None,
    status: Annotated[UserStatus | None, typer.Option(case_sensitive=False, help="Only these users.")] = None,
    plan: Annotated[str | None, typer.Option(help="Only users with this plan.")] = None,
    first: First = 50,
    after: Annotated[str | None, typer.Option(help="Only users after the one with this id or email.")] = None,
    *,
    as_json: AsJson = False,
    data_dir: DataDirectory = None,
) -> None:
    """List users, the newest first."""
    from domain.model.administration import UserFilter  # noqa: PLC0415  # other commands start without
    from infra.cli.user_actions import as_json as plain  # noqa: PLC0415  # as above
    from infra.cli.user_tables import print_users  # noqa: PLC0415  # as above

    selected = UserFilter(email.strip().lower() if email else None, role, status, plan)
    users = _run(data_dir, lambda commands: commands.list_users(selected, first, after))
    if as_json:
        print(json.dumps([plain(user) for user in users], indent=2))
    else:
        print_users(users)


@user_app.command("show")
def show(name: Name, *, as_json: AsJson = False, data_dir: DataDirectory = None) -> None:
    """Show a user, and how much the user has."""
    from infra.cli.user_actions import as_json as plain  # noqa: PLC0415  # other commands start without
    from infra.cli.user_tables import print_user  # noqa: PLC0415  # as above

    user, counts = _run(data_dir, lambda commands: commands.show(name))
    if as_json:
        print(json.dumps({**plain(user), "counts": plain(counts)}, indent=2))
    else:
        print_user(user, counts)


@user_app.command("activity")
def activity(name: Name, first: First = 50, *, as_json: AsJson = False, data_dir: DataDirectory = None) -> None:
    """List what a user did, and what was done to the user."""
    from infra.cli.user_actions import as_json as plain  # noqa: PLC0415  # other commands start without
    from infra.cli.user_tables import print_activities  # noqa: PLC0415  # as above

    activities = _run(data_dir, lambda commands: commands.activity(name, first))
    if as_json:
        print(json.dumps([plain(one) for one in activities], indent=2))
    else:
        print_activities(activities)


@user_app.command("disable")
def disable(
    name: Name,
    reason: Reason = None,
    keep_orders: Annotated[bool, typer.Option("--keep-orders", help="Leave open orders open.")] = False,
    close_positions: Annotated[bool, typer.Option("--close-positions", help="Close all positions.")] = False,
    data_dir: DataDirectory = None,
) -> None:
    """Disable a user: nobody can sign in, API keys rest, and nothing is opened any more."""
    from domain.trading.halts import HaltRequest  # noqa: PLC0415  # other commands start without

    halt = HaltRequest(not keep_orders, reduce_only=True, close_positions=close_positions)

    async def work(commands: "UserCommands") -> None:
        await commands.administration.disable(_by(reason), await commands.find(name), halt)

    _run(data_dir, work)
    print(f"{name} is disabled")


@user_app.command("enable")
def enable(
    name: Name,
    reason: Reason = None,
    keep_halt: Annotated[bool, typer.Option("--keep-halt", help="Leave the trading halted.")] = False,
    data_dir: DataDirectory = None,
) -> None:
    """Enable a disabled user."""

    async def work(commands: "UserCommands") -> None:
        user_id = await commands.find(name)
        await commands.administration.enable(_by(reason), user_id, resume_trading=not keep_halt)

    _run(data_dir, work)
    print(f"{name} is enabled")


@user_app.command("stop-trading")
def stop_trading(
    name: Name,
    reason: Reason = None,
    close_positions: Annotated[bool, typer.Option("--close-positions", help="Close all positions.")] = False,
    data_dir: DataDirectory = None,
) -> None:
    """Stop all trading sessions of a user for good, and halt the user."""

    async def work(commands: "UserCommands") -> int:
        user_id = await commands.find(name)
        _, stopped = await commands.administration.stop_trading(_by(reason), user_id, close_positions=close_positions)
        return stopped

    print(f"{name}: {_run(data_dir, work)} trading sessions stop; r3edge resume user {name} ends the halt")


@user_app.command("promote")
def promote(name: Name, reason: Reason = None, data_dir: DataDirectory = None) -> None:
    """Make a user an operator."""
    _change_role(name, UserRole.OPERATOR, reason, data_dir)
    print(f"{name} is an operator now")


@user_app.command("demote")
def demote(name: Name, reason: Reason = None, data_dir: DataDirectory = None) -> None:
    """Make an operator a user like others."""
    _change_role(name, UserRole.USER, reason, data_dir)
    print(f"{name} is no operator any more")


@user_app.command("reset-password")
def reset_password(name: Name, reason: Reason = None, data_dir: DataDirectory = None) -> None:
    """Print a code that sets a user a new password, for one who has forgotten it."""

    async def work(commands: "UserCommands") -> str | None:
        return (await commands.administration.reset_password(_by(reason), await commands.find(name))).code

    code = _run(data_dir, work)
    print(f"{code}\n\nGive it to {name}: the mutation passwordReset takes it, once, within an hour.")


@user_app.command("reset-two-factor")
def reset_two_factor(name: Name, reason: Reason = None, data_dir: DataDirectory = None) -> None:
    """Turn two-factor authentication off for a user who has lost the app and the recovery codes."""

    async def work(commands: "UserCommands") -> None:
        await commands.administration.reset_two_factor(_by(reason), await commands.find(name))

    _run(data_dir, work)
    print(f"{name} signs in with the password alone now")


@user_app.command("sign-out")
def sign_out(
    name: Name,
    reason: Reason = None,
    api_keys: Annotated[bool, typer.Option("--api-keys", help="End keys, webhooks, identities, channels too.")] = False,
    data_dir: DataDirectory = None,
) -> None:
    """End all login sessions of a user, and the connections of their clients."""

    async def work(commands: "UserCommands") -> tuple[int, int]:
        user_id = await commands.find(name)
        _, sessions, keys = await commands.administration.sign_out(_by(reason), user_id, revoke_api_keys=api_keys)
        return sessions, keys

    sessions, keys = _run(data_dir, work)
    print(f"{name}: {sessions} login sessions ended" + (f", {keys} API keys revoked" if api_keys else ""))


@user_app.command("erase")
def erase(name: Name, reason: Reason = None, *, yes: Yes = False, data_dir: DataDirectory = None) -> None:
    """Erase a user for good; records of trading stay under an id that names nobody."""
    if not yes:
        typer.confirm(f"Erase {name} for good?", abort=True)
    _run(data_dir, lambda commands: commands.erase(name, reason))
    print(f"{name} is erased")


async def invite_user(settings: Settings, email: str, role: InvitedRole, life: timedelta) -> "NewInvitation":
    """Invite an email; ends with an error if somebody has it."""
    from infra.cli.user_actions import open_user_commands  # noqa: PLC0415  # other commands start without

    async with open_user_commands(settings) as commands:
        expires_at = commands.clock.now() + life
        return await commands.invitations.invite_by_machine(email, UserRole[role.name], expires_at)


def _change_role(name: str, role: UserRole, reason: str | None, data_dir: DataDirectory) -> None:
    async def work(commands: "UserCommands") -> None:
        await commands.administration.change_role(_by(reason), await commands.find(name), role)

    _run(data_dir, work)


def _by(reason: str | None) -> "Administrator":
    from domain.users.operators import Administrator  # noqa: PLC0415  # other commands start without

    return Administrator(reason=reason)


def _run(data_dir: DataDirectory, work: "Callable[[UserCommands], Awaitable[T]]") -> T:
    """Do the work with the users of the settings' database; a user who isn't there ends the command."""
    settings = command_settings(data_dir)
    from infra.cli.user_actions import UnknownUser  # noqa: PLC0415  # other commands start without

    try:
        return run_command(_with_users(settings, work))
    except UnknownUser as error:
        _end(error)


async def _with_users(settings: Settings, work: "Callable[[UserCommands], Awaitable[T]]") -> T:
    from infra.cli.user_actions import open_user_commands  # noqa: PLC0415  # other commands start without

    async with open_user_commands(settings) as commands:
        return await work(commands)


def _end(error: Exception) -> NoReturn:
    print(error, file=sys.stderr)
    raise SystemExit(FAILED)
