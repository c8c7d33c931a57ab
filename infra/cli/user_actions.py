"""What `r3edge user` does, in the database of the running engine, or in its own for as long as it takes."""

import dataclasses
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from domain.administration.service import UserAdministration
from domain.core.clock import Clock, IdGenerator
from domain.core.errors import InputError
from domain.core.pagination import KeysetPage
from domain.core.validation import normalise_email
from domain.model.administration import ManagedUser, UserCounts, UserFilter
from domain.model.plans import Plan
from domain.model.trading_state import ENGINE_ID
from domain.model.users import Activity, ActivityAuthor
from domain.personal_data.erasure import Erasure
from domain.ports.lists import Owner
from domain.ports.unit_of_work import Database
from domain.trading.halts import HaltService
from domain.users.authentication import Authenticator
from domain.users.invitations import InvitationService
from domain.users.operators import Administrator, validate_reason
from domain.users.user_mails import UserMails
from infra.cli.arguments import BadArgument
from infra.clock import SystemClock, TimeOrderedIds
from infra.postgres.database import PostgresDatabase
from infra.runtime.backends import open_cache_and_bus
from infra.runtime.command_resources import open_command_resources
from infra.security import RandomTokens
from infra.settings import Settings
from resolvers.ids import uuid_in


class UnknownUser(Exception):
    """Nobody has this email or id."""

    def __init__(self, name: str) -> None:
        super().__init__(f"nobody is registered as {name}")


@dataclass(frozen=True, slots=True)
class UserCommands:
    """What the command line does to users, and the database that it reads."""

    database: Database
    administration: UserAdministration
    erasure: Erasure
    invitations: InvitationService
    clock: Clock
    ids: IdGenerator

    async def find(self, name: str) -> UUID:
        """Return the id of the user with this email or id; raises `UnknownUser`."""
        async with self.database.read_only() as reading:
            user_id = _user_id(name)
            if user_id is None:
                found = await reading.users.get_by_email(_email(name))
                user_id = None if found is None else found[0].id
            if user_id is None or not await reading.administration.users([user_id]):
                raise UnknownUser(name)
            return user_id

    async def list_users(self, filter: UserFilter, first: int, after: str | None) -> list[ManagedUser]:
        """Return the newest users who match, after the one with that id or email."""
        last = None if after is None else await self.find(after)
        async with self.database.read_only() as reading:
            pages = await reading.lists.users.pages(Owner.ENGINE, [ENGINE_ID], KeysetPage(first, after=last), filter)
        return pages[ENGINE_ID]

    async def show(self, name: str) -> tuple[ManagedUser, UserCounts]:
        """Return a user, and how much the user has; raises `UnknownUser`."""
        user_id = await self.find(name)
        async with self.database.read_only() as reading:
            (user,) = await reading.administration.users([user_id])
            counts = await reading.administration.counts([user_id], self.clock.now())
        return user, counts[user_id]

    async def activity(self, name: str, first: int) -> list[Activity]:
        """Return the newest activities of a user; what a user did has no details. Raises `UnknownUser`."""
        user_id = await self.find(name)
        async with self.database.read_only() as reading:
            found = await reading.users.activity(user_id, KeysetPage(first))
        return [replace(one, detail=None) if one.author is ActivityAuthor.SELF else one for one in found]

    async def erase(self, name: str, reason: str | None) -> None:
        """Erase a user; raises `UnknownUser`, and CONFLICT while anything of theirs trades."""
        administrator = Administrator(reason=validate_reason(reason))
        await self.erasure.erase(await self.find(name), administrator)


@asynccontextmanager
async def open_user_commands(settings: Settings) -> AsyncGenerator[UserCommands]:
    """Open the database, and the bus that reaches all nodes; without one they notice within a few seconds."""
    async with open_command_resources(settings, "r3edge user") as resources:
        clock, ids = SystemClock(), TimeOrderedIds()
        cache, bus = await open_cache_and_bus(settings, clock, resources.stack)
        database = PostgresDatabase(await resources.pool(), bus, clock)
        resources.stack.push_async_callback(database.close)
        authenticator = Authenticator(database, cache, bus, clock)
        mails = UserMails(ids, is_configured=settings.smtp_host is not None)
        halts = HaltService(database, bus, clock, ids)
        tokens = RandomTokens()
        yield UserCommands(
            database,
            UserAdministration(database, authenticator, halts, mails, tokens, clock, ids),
            Erasure(database, authenticator, bus, clock, ids),
            InvitationService(database, mails, tokens, clock, ids),
            clock,
            ids,
        )


def as_json(value: ManagedUser | UserCounts | Activity) -> dict[str, object]:
    """Return the fields of a value, with times in ISO 8601 and ids as text."""
    return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Plan):
        return value.name
    return str(value) if isinstance(value, UUID) else value


def _user_id(name: str) -> UUID | None:
    found = uuid_in(name, "ManagedUser") or uuid_in(name, "User")
    if found is not None:
        return found
    try:
        return UUID(name)
    except ValueError:
        return None


def _email(name: str) -> str:
    try:
        return normalise_email(name)
    except InputError as error:
        raise BadArgument(error.message) from None
