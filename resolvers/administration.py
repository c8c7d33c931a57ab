"""What operators see and do: users, and what becomes of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from domain.administration.operator_report import read_operator_report, report_period
from domain.administration.overview import read_overview
from domain.core.errors import ErrorCode, InputError
from domain.core.pagination import CursorScope, Page
from domain.core.validation import normalise_email
from domain.market_data.past import past_until
from domain.model.administration import ManagedUser, UserCounts, UserFilter, as_managed
from domain.model.archive import LostFile
from domain.model.operator_reports import OperatorReport
from domain.model.overview import Overview
from domain.model.trading_state import ENGINE_ID
from domain.model.users import Activity, ActivityAuthor, ApiScope, UserRole
from domain.ports.lists import Owner
from domain.trading.halts import HaltRequest
from domain.users.operators import Administrator, not_an_operator
from resolvers.context import RequestContext
from resolvers.ids import uuid_in
from resolvers.lists import OwnedList, TimeOrder, list_page
from resolvers.pagination import PageArguments


@dataclass(frozen=True, slots=True)
class Administration:
    """The part of the API that is for operators."""


ADMINISTRATION: Final = Administration()
_LOST_FILES_SHOWN: Final = 100


async def administration(context: RequestContext) -> Administration:
    """Return what operators see; raises `Unauthenticated`, and `Forbidden` for everybody else."""
    context.require(ApiScope.ADMIN)
    if not await context.is_operator_now():
        raise not_an_operator()
    return ADMINISTRATION


async def users(
    context: RequestContext, page: PageArguments, filter: UserFilter, order: TimeOrder
) -> Page[ManagedUser]:
    """Return a page of all users who match."""
    scope = CursorScope("users")
    return await list_page(context.lists.users, scope, OwnedList(Owner.ENGINE, ENGINE_ID, filter), page, order)


async def user(context: RequestContext, email: str) -> ManagedUser | None:
    """Return the user with that email; None if there is none, which holds for what is no email too."""
    try:
        normalised = normalise_email(email)
    except InputError:
        return None
    async with context.reads.read_only() as reading:
        found = await reading.users.get_by_email(normalised)
    return None if found is None else as_managed(found[0])


async def overview(context: RequestContext) -> Overview:
    """Return how the engine is doing."""
    async with context.reads.read_only() as reading:
        return await read_overview(reading, context.services.clock)


async def lost_archive_files(context: RequestContext) -> Sequence[LostFile]:
    """Return the files of the archive that were given up last, the newest first."""
    async with context.reads.read_only() as reading:
        return await reading.overview.lost_files(_LOST_FILES_SHOWN)


async def report(context: RequestContext, start: datetime | None, end: datetime | None) -> OperatorReport:
    """Return the numbers of a period over all users; raises `RequestFault` (INVALID) for a period that can't be."""
    period = report_period(start, end, context.services.clock.now())
    past = past_until(period[1], context.services.clock.now())
    async with context.reads.read_only() if past is None else context.services.database.read_past(past) as reading:
        return await read_operator_report(reading, *period)


async def managed_user(context: RequestContext, user_id: UUID) -> ManagedUser | None:
    """Return a user; None if the user was erased."""
    return await context.loaders.managed_users.load(user_id)


async def counts(context: RequestContext, user: ManagedUser) -> UserCounts:
    """Return how much the user has."""
    return await context.user_counts.load(user.id)


def activity_detail(context: RequestContext, activity: Activity) -> str | None:
    """Return the details of an activity; an operator sees those of another user's only if an operator did it."""
    is_own = activity.user_id == context.user_id
    return activity.detail if is_own or activity.author is not ActivityAuthor.SELF else None


async def operator_name(context: RequestContext, activity: Activity) -> str | None:
    """Return the display name of the operator who did it."""
    if activity.operator_id is None:
        return None
    found = await context.loaders.managed_users.load(activity.operator_id)
    return None if found is None else found.display_name


async def operator(context: RequestContext, activity: Activity) -> ManagedUser | None:
    """Return the operator who did it, to operators; None to others."""
    if activity.operator_id is None or not await context.is_operator_now():
        return None
    return await context.loaders.managed_users.load(activity.operator_id)


async def disable(context: RequestContext, id: str, reason: str | None, halt: HaltRequest) -> ManagedUser:
    """Disable a user."""
    user_id = _user_id(id)
    await context.services.administration.disable(_administrator(context, reason), user_id, halt)
    return await _managed(context, user_id)


async def stop_trading(
    context: RequestContext, id: str, reason: str | None, *, close_positions: bool
) -> tuple[ManagedUser, int]:
    """Stop a user's trading sessions; return how many."""
    user_id = _user_id(id)
    _, stopped = await context.services.administration.stop_trading(
        _administrator(context, reason), user_id, close_positions=close_positions
    )
    return await _managed(context, user_id), stopped


async def enable(context: RequestContext, id: str, reason: str | None, *, resume_trading: bool) -> ManagedUser:
    """Enable a user."""
    user_id = _user_id(id)
    service = context.services.administration
    await service.enable(_administrator(context, reason), user_id, resume_trading=resume_trading)
    return await _managed(context, user_id)


async def change_role(context: RequestContext, id: str, reason: str | None, role: UserRole) -> ManagedUser:
    """Give a user another role."""
    user_id = _user_id(id)
    await context.services.administration.change_role(_administrator(context, reason), user_id, role)
    return await _managed(context, user_id)


async def reset_password(context: RequestContext, id: str, reason: str | None) -> tuple[ManagedUser, str | None]:
    """Have a user set a new password; return the code if it isn't sent by mail."""
    user_id = _user_id(id)
    reset = await context.services.administration.reset_password(_administrator(context, reason), user_id)
    return await _managed(context, user_id), reset.code


async def reset_two_factor(context: RequestContext, id: str, reason: str | None) -> ManagedUser:
    """Take a user's second factor away."""
    user_id = _user_id(id)
    await context.services.administration.reset_two_factor(_administrator(context, reason), user_id)
    return await _managed(context, user_id)


async def sign_out(
    context: RequestContext, id: str, reason: str | None, *, revoke_api_keys: bool
) -> tuple[ManagedUser, int, int]:
    """End a user's login sessions, and API keys if asked; return how many of both."""
    user_id = _user_id(id)
    _, sessions, keys = await context.services.administration.sign_out(
        _administrator(context, reason), user_id, revoke_api_keys=revoke_api_keys
    )
    return await _managed(context, user_id), sessions, keys


async def erase(
    context: RequestContext, id: str, reason: str | None, password: str | None, two_factor_code: str | None
) -> None:
    """Erase a user."""
    user_id = managed_user_id(id)
    if user_id is None:
        raise InputError(ErrorCode.NOT_FOUND, "There is no such user.", ("input", "user"))
    administrator = _administrator(context, reason)
    await context.services.erasure.erase_other(administrator, user_id, password, two_factor_code)


def managed_user_id(id: str) -> UUID | None:
    """Return the UUID of a user, by the id of either form; None for any other id."""
    return uuid_in(id, "ManagedUser") or uuid_in(id, "User")


def _user_id(id: str) -> UUID:
    user_id = managed_user_id(id)
    # Nobody has it: who isn't an operator hears that first, as with any other id.
    return UUID(int=0) if user_id is None else user_id


def _administrator(context: RequestContext, reason: str | None) -> Administrator:
    return Administrator(context.require(ApiScope.ADMIN), reason)


async def _managed(context: RequestContext, user_id: UUID) -> ManagedUser:
    found = await context.loaders.managed_users.load(user_id)
    assert found is not None
    return found
