"""`r3edge plan`: plans and who has which, for the operator of the machine."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli.options import DataDirectory, command_settings, run_command
from infra.settings import Settings

if TYPE_CHECKING:
    from domain.core.changes import Changes
    from domain.model.plans import EntitlementUsage, Plan, PlanChange
    from domain.model.users import User
    from domain.users.plans import PlanService
    from infra.postgres.database import PostgresDatabase

plan_app = typer.Typer(help="Plans, for the operator of the machine.", no_args_is_help=True, rich_markup_mode=None)

Limits = Annotated[
    list[str] | None, typer.Option("--limit", help="A limit, such as maxMarkets=50; =none where there may be none.")
]
Default = Annotated[bool, typer.Option("--default", help="Make it the plan of all users who were given none.")]


@dataclass(frozen=True, slots=True)
class UserPlan:
    """A user with the plan, how much of it is used, and the decisions about it."""

    user: "User"
    usage: list["EntitlementUsage"]
    changes: list["PlanChange"]


@plan_app.command("list")
def list_plans(data_dir: DataDirectory = None) -> None:
    """Print all plans with their limits, and how many users have each."""
    plans, users = run_command(read_plans(command_settings(data_dir)))
    for plan in plans:
        print("\n".join(plan_lines(plan, users.get(plan.name, 0))))


@plan_app.command("show")
def show(email: str, data_dir: DataDirectory = None) -> None:
    """Print the plan of a user, how much of it is used, and the decisions about it."""
    found = run_command(read_user_plan(command_settings(data_dir), email))
    print(f"{found.user.email}: {found.user.plan.name}")
    for usage in found.usage:
        limit = "no limit" if usage.limit is None else f"{usage.limit:,}"
        print(f"  {usage.entitlement.value:<26}{usage.used:>15,} of {limit}")
    for change in found.changes:
        name = change.plan_name or "the default plan"
        reason = "" if change.reason is None else f"  {change.reason}"
        print(
            f"  {change.effective_at:%Y-%m-%d %H:%M} UTC  {name}  {change.status.value} ({change.source.value}){reason}"
        )


@plan_app.command("set")
def set_plan(
    email: str,
    plan: Annotated[str, typer.Argument(help="The name of the plan, or default.")],
    at: Annotated[str | None, typer.Option(help="From when on, such as 2027-01-01; without it from now.")] = None,
    reason: Annotated[str | None, typer.Option(help="Shown to the user.")] = None,
    data_dir: DataDirectory = None,
) -> None:
    """Give a user a plan, now or from a time on. Nothing that trades is ended."""
    change = run_command(change_plan(command_settings(data_dir), email, plan, at, reason))
    print(f"{email} has {change.plan_name or 'the default plan'} from {change.effective_at:%Y-%m-%d %H:%M} UTC on")


@plan_app.command("create")
def create(name: str, limit: Limits = None, *, default: Default = False, data_dir: DataDirectory = None) -> None:
    """Create a plan; limits that aren't given are those of a new engine's default plan."""
    plan = run_command(store_plan(command_settings(data_dir), name, limit or [], is_new=True, make_default=default))
    print("\n".join(plan_lines(plan, 0)))


@plan_app.command("update")
def update(name: str, limit: Limits = None, *, default: Default = False, data_dir: DataDirectory = None) -> None:
    """Change limits of a plan for all who have it. Nothing that trades is ended."""
    plan = run_command(store_plan(command_settings(data_dir), name, limit or [], is_new=False, make_default=default))
    print("\n".join(plan_lines(plan)))


@plan_app.command("archive")
def archive(name: str, data_dir: DataDirectory = None) -> None:
    """Archive a plan: nobody is given it any more, and those who have it keep it."""
    run_command(archive_plan(command_settings(data_dir), name))
    print(f"{name} is archived")


async def read_plans(settings: Settings) -> "tuple[list[Plan], dict[str, int]]":
    """Return all plans, and how many users have each."""
    async with _service(settings) as (service, _):
        return await service.list_all(None), dict(await service.count_users(None))


async def read_user_plan(settings: Settings, email: str) -> UserPlan:
    """Return what the user with that email has; raises `BadArgument` if nobody has it."""
    from domain.users.plans import SHOWN_CHANGES  # noqa: PLC0415  # other commands start without

    async with _service(settings) as (_, database), database.read_only() as reading:
        user = await _user(database, email)
        usage = await reading.plans.usage(user.id, user.plan)
        return UserPlan(user, usage, list(await reading.plans.changes(user.id, SHOWN_CHANGES)))


async def change_plan(settings: Settings, email: str, plan: str, at: str | None, reason: str | None) -> "PlanChange":
    """Give a user a plan; raises `BadArgument` if nobody has that email."""
    from domain.users.plans import PlanRequest  # noqa: PLC0415  # other commands start without

    request = PlanRequest(None if plan == "default" else plan, _time(at), reason)
    async with _service(settings) as (service, database):
        _, change = await service.change(None, (await _user(database, email)).id, request)
        return change


async def store_plan(
    settings: Settings, name: str, limits: list[str], *, is_new: bool, make_default: bool = False
) -> "Plan":
    """Create or change a plan."""
    from domain.model.plans import Plan  # noqa: PLC0415  # other commands start without

    changes = parse_limits(limits)
    async with _service(settings) as (service, _):
        if is_new:
            return await service.create(None, changes.apply_to(Plan(name)), make_default=make_default)
        return await service.update(None, name, changes, make_default=make_default)


async def archive_plan(settings: Settings, name: str) -> None:
    """Archive a plan."""
    async with _service(settings) as (service, _):
        await service.archive(None, name)


def parse_limits(texts: list[str]) -> "Changes[Plan]":
    """Return the limits that are written as `maxMarkets=50` or `max_markets=50`; raises `BadArgument`."""
    from domain.core.changes import Changes  # noqa: PLC0415  # other commands start without
    from domain.core.text import camel_case  # noqa: PLC0415  # as above
    from domain.model.plans import Plan  # noqa: PLC0415  # as above
    from domain.users.plans import LIMITS  # noqa: PLC0415  # as above
    from infra.cli.arguments import BadArgument, unknown_name  # noqa: PLC0415  # as above

    known = {camel_case(name): name for name in LIMITS}
    values: dict[str, int | None] = {}
    for text in texts:
        given, _, value = text.partition("=")
        name = known.get(given, given)
        if name not in LIMITS:
            raise unknown_name("limit", given, known)
        if value != "none" and not (value.isascii() and value.isdecimal()):
            raise BadArgument(f"--limit {text!r}: write a whole number after =, or none")
        values[name] = None if value == "none" else int(value)
    return Changes(frozenset(values), Plan("", **values))  # type: ignore[arg-type]  # null is refused by the service


def plan_lines(plan: "Plan", users: int | None = None) -> list[str]:
    """Return a plan in lines: its name, and each limit."""
    from domain.core.text import camel_case  # noqa: PLC0415  # other commands start without
    from domain.users.plans import LIMITS  # noqa: PLC0415  # as above

    marks = [
        *(["default"] if plan.is_default else []),
        *([f"archived {plan.archived_at:%Y-%m-%d}"] if plan.archived_at else []),
        *([] if users is None else [f"{users:,} {'user' if users == 1 else 'users'}"]),
    ]
    limits = [(field.name, getattr(plan, field.name)) for field in fields(plan) if field.name in LIMITS]
    return [
        f"{plan.name}{''.join(f', {mark}' for mark in marks)}",
        *(f"  {camel_case(name):<26}{'none' if limit is None else f'{limit:,}':>15}" for name, limit in limits),
    ]


def _time(text: str | None) -> datetime | None:
    from infra.cli.arguments import parse_time  # noqa: PLC0415  # other commands start without

    return None if text is None else parse_time(text, "--at")


async def _user(database: "PostgresDatabase", email: str) -> "User":
    from domain.core.validation import normalise_email  # noqa: PLC0415  # other commands start without
    from infra.cli.arguments import BadArgument  # noqa: PLC0415  # as above

    async with database.read_only() as reading:
        found = await reading.users.get_by_email(normalise_email(email))
    if found is None:
        raise BadArgument(f"nobody is registered as {email}")
    return found[0]


@asynccontextmanager
async def _service(settings: Settings) -> AsyncIterator["tuple[PlanService, PostgresDatabase]"]:
    """Give the service on the database of the running engine, or on its own for as long as this takes."""
    from domain.users.plans import PlanService  # noqa: PLC0415  # other commands start without
    from infra.clock import SystemClock, TimeOrderedIds  # noqa: PLC0415  # as above
    from infra.embedded.bus import EmbeddedBus  # noqa: PLC0415  # as above
    from infra.postgres.database import PostgresDatabase  # noqa: PLC0415  # as above
    from infra.runtime.command_resources import open_command_resources  # noqa: PLC0415  # as above

    async with open_command_resources(settings, "r3edge plan") as resources:
        clock = SystemClock()
        database = PostgresDatabase(await resources.pool(), EmbeddedBus(), clock)
        try:
            yield PlanService(database, clock, TimeOrderedIds()), database
        finally:
            await database.close()
