"""The user that a command works for, and what it works with."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from domain.core.clock import Clock, IdGenerator
from domain.core.validation import normalise_email
from domain.model.users import User
from domain.ports.bus import MessageBus
from domain.ports.unit_of_work import UnitOfWork
from infra.cli.arguments import BadArgument
from infra.clock import SystemClock, TimeOrderedIds
from infra.postgres.database import PostgresDatabase
from infra.runtime.backends import open_cache_and_bus
from infra.runtime.command_resources import open_command_resources
from infra.settings import Settings


@dataclass(frozen=True, slots=True)
class UserScope:
    """A user, the database, and the bus that reaches all nodes; without a cluster they notice by themselves."""

    user: User
    database: PostgresDatabase
    bus: MessageBus
    clock: Clock
    ids: IdGenerator


@asynccontextmanager
async def open_user_scope(settings: Settings, purpose: str, email: str | None) -> AsyncGenerator[UserScope]:
    """Give the scope of the user with that email, by default of the only one; raises `BadArgument`."""
    async with open_command_resources(settings, purpose) as resources:
        clock = SystemClock()
        _, bus = await open_cache_and_bus(settings, clock, resources.stack)
        database = PostgresDatabase(await resources.pool(), bus, clock)
        resources.stack.push_async_callback(database.close)
        async with database.read_only() as reading:
            user = await found_user(reading, email)
        yield UserScope(user, database, bus, clock, TimeOrderedIds())


async def found_user(reading: UnitOfWork, email: str | None) -> User:
    """Return the user with that email, by default the only one; raises `BadArgument`."""
    if email is None:
        only = await reading.users.only_user()
        if only is None:
            raise BadArgument("the engine has no user or several; write --user and an email")
        return only
    found = await reading.users.get_by_email(normalise_email(email))
    if found is None:
        raise BadArgument(f"nobody is registered as {email}")
    return found[0]
