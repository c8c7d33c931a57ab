"""Stores the strategies of files for users, and reads them back, with or without a running engine."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import UUID

from domain.core.errors import InputError
from domain.core.validation import normalise_name
from domain.model.strategies import Strategy, StrategyVersion
from domain.ports.unit_of_work import UnitOfWork
from domain.trading.strategies import StrategyRequest, StrategyService
from infra.cli.arguments import BadArgument, unknown_name
from infra.cli.user_scope import found_user
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.postgres.database import PostgresDatabase
from infra.runtime.command_resources import open_command_resources
from infra.settings import Settings
from infra.strategy_files.strategy_file import StrategyFile
from infra.strategy_plugins.catalogue import load_templates
from resolvers.ids import encode_id, uuid_in

_PURPOSE = "r3edge strategy"


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """The strategy to store under a name, as a new version if `is_update` and there is one of that name."""

    strategy: StrategyFile
    name: str
    is_update: bool = False


async def store_strategy(settings: Settings, email: str | None, request: ImportRequest) -> str:
    """Store the strategy for the user; return what was done as a sentence. Raises `BadArgument`."""
    async with _open_database(settings) as database:
        service = StrategyService(database, SystemClock(), TimeOrderedIds())
        try:
            name = normalise_name(request.name, "name")
            async with database.read_only() as reading:
                user_id = await found_user_id(reading, email)
                existing = await reading.strategies.get_by_name(user_id, name)
                versions = await reading.strategies.get_latest_versions([strategy.id for strategy in existing])
            if not existing:
                description, definition = request.strategy.description, request.strategy.definition
                created = await service.create(user_id, StrategyRequest(name, description, definition), None)
                return f"{name}: stored as {encode_id('Strategy', created.id)}"
            return await _update(service, _the_one(existing, name), versions[0], request)
        except InputError as error:
            raise BadArgument(str(error)) from None


async def _update(service: StrategyService, strategy: Strategy, newest: StrategyVersion, request: ImportRequest) -> str:
    definition = request.strategy.definition
    description = request.strategy.description or strategy.description
    if newest.definition == definition and strategy.description == description:
        return f"{strategy.name}: version {newest.number} is the same already"
    if not request.is_update:
        raise BadArgument(
            f"there is a strategy {strategy.name!r} already; "
            "--update makes a new version of it, --name gives the file's another name"
        )
    if newest.definition == definition:
        await service.update(strategy.user_id, strategy.id, description=description)
        return f"{strategy.name}: the description was changed"
    updated = await service.update(
        strategy.user_id,
        strategy.id,
        description=description,
        definition=definition,
        expected_version=newest.number,
    )
    return f"{strategy.name}: stored as version {updated.current_version}"


async def exported_strategy(
    settings: Settings, email: str | None, name_or_id: str, number: int | None = None
) -> StrategyFile:
    """Return a strategy of the user; raises `BadArgument`."""
    async with _open_database(settings) as database, database.read_only() as reading:
        user_id = await found_user_id(reading, email)
        strategy = await found_strategy(reading, user_id, name_or_id)
        version = await reading.strategies.get_version_by_number(
            user_id, strategy.id, strategy.current_version if number is None else number
        )
    if version is None:
        raise BadArgument(f"{strategy.name!r} has no version {number}; the newest is {strategy.current_version}")
    return StrategyFile(version.definition, strategy.name, strategy.description)


def exported_template(name: str) -> StrategyFile:
    """Return a template as a strategy; raises `BadArgument`."""
    templates = {template.name: template for template in load_templates().templates}
    if name not in templates:
        raise unknown_name("template", name, templates)
    template = templates[name]
    return StrategyFile(template.definition, template.title, f"{template.description} Source: {template.source}.")


@asynccontextmanager
async def _open_database(settings: Settings) -> AsyncGenerator[PostgresDatabase]:
    async with open_command_resources(settings, _PURPOSE) as resources:
        database = PostgresDatabase(await resources.pool(), EmbeddedBus(), SystemClock())
        try:
            yield database
        finally:
            await database.close()


async def found_user_id(reading: UnitOfWork, email: str | None) -> UUID:
    """Return the id of the user with that email, by default of the only one; raises `BadArgument`."""
    return (await found_user(reading, email)).id


async def found_strategy(reading: UnitOfWork, user_id: UUID, name_or_id: str) -> Strategy:
    """Return the strategy of that name or id; raises `BadArgument`."""
    found = await reading.strategies.get_by_name(user_id, name_or_id.strip())
    strategy_id = uuid_in(name_or_id, "Strategy")
    if not found and strategy_id is not None:
        found = [each for each in await reading.strategies.get_many([strategy_id]) if each.user_id == user_id]
    if not found:
        raise BadArgument(f"the user has no strategy {name_or_id!r}; give its name, or its id from the API")
    return _the_one(found, name_or_id)


def _the_one(found: list[Strategy], name: str) -> Strategy:
    if len(found) > 1:
        ids = ", ".join(encode_id("Strategy", strategy.id) for strategy in found)
        raise BadArgument(f"the user has {len(found)} strategies {name!r}; their ids are {ids}")
    return found[0]
