"""Strategies and their immutable versions in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
from asyncpg import Record

from domain.core.pagination import KeysetPage
from domain.model.definitions import StrategyDefinition
from domain.model.strategies import Strategy, StrategyVersion
from infra.postgres.repositories.base import Repository

COLUMNS = "id, user_id, name, description, created_at, archived_at, current_version"
SELECT = f"SELECT {COLUMNS} FROM strategies"
INSERT = f"INSERT INTO strategies ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)"
UPDATE = """
UPDATE strategies SET name = $2, description = $3, archived_at = $4, current_version = $5 WHERE id = $1"""
GET = SELECT + " WHERE id = $1 AND user_id = $2"
GET_FOR_UPDATE = GET + " FOR NO KEY UPDATE"
GET_MANY = SELECT + " WHERE id = ANY($1::uuid[])"
ARCHIVE = f"""
UPDATE strategies SET archived_at = coalesce(archived_at, $3) WHERE id = $1 AND user_id = $2
RETURNING {COLUMNS}"""
OWNER_CONDITIONS = {True: "user_id = {} AND archived_at IS NOT NULL", False: "user_id = {} AND archived_at IS NULL"}

SELECT_VERSION = """
SELECT id, strategy_id, user_id, number, created_at, definition, language_version FROM strategy_versions"""
INSERT_VERSION = """
INSERT INTO strategy_versions (id, strategy_id, user_id, number, created_at, definition, language_version)
VALUES ($1, $2, $3, $4, $5, $6, $7)"""
GET_VERSION = SELECT_VERSION + " WHERE id = $1 AND user_id = $2"
GET_VERSION_BY_NUMBER = SELECT_VERSION + " WHERE strategy_id = $1 AND number = $2 AND user_id = $3"
GET_MANY_VERSIONS = SELECT_VERSION + " WHERE id = ANY($1::uuid[])"
GET_LATEST_VERSIONS = SELECT_VERSION + (
    " WHERE (strategy_id, number) IN (SELECT id, current_version FROM strategies WHERE id = ANY($1::uuid[]))"
)


_DEFINITION = msgspec.json.Decoder(StrategyDefinition)


class PostgresStrategies(Repository):
    """See `domain.ports.strategies.StrategyRepository`."""

    async def add(self, strategy: Strategy, version: StrategyVersion) -> None:
        await self._connection.execute(INSERT, *_params(strategy))
        await self.add_version(version)

    async def get(self, user_id: UUID, strategy_id: UUID) -> Strategy | None:
        row = await self._connection.fetchrow(GET, strategy_id, user_id)
        return None if row is None else strategy_from_row(row)

    async def get_for_update(self, user_id: UUID, strategy_id: UUID) -> Strategy | None:
        row = await self._connection.fetchrow(GET_FOR_UPDATE, strategy_id, user_id)
        return None if row is None else strategy_from_row(row)

    async def update(self, strategy: Strategy) -> None:
        await self._connection.execute(
            UPDATE, strategy.id, strategy.name, strategy.description, strategy.archived_at, strategy.current_version
        )

    async def add_version(self, version: StrategyVersion) -> None:
        await self._connection.execute(INSERT_VERSION, *_version_params(version))

    async def get_version(self, user_id: UUID, version_id: UUID) -> StrategyVersion | None:
        row = await self._connection.fetchrow(GET_VERSION, version_id, user_id)
        return None if row is None else version_from_row(row)

    async def get_version_by_number(self, user_id: UUID, strategy_id: UUID, number: int) -> StrategyVersion | None:
        row = await self._connection.fetchrow(GET_VERSION_BY_NUMBER, strategy_id, number, user_id)
        return None if row is None else version_from_row(row)

    async def get_many(self, ids: Sequence[UUID]) -> list[Strategy]:
        return [strategy_from_row(row) for row in await self._connection.fetch(GET_MANY, ids)]

    async def get_many_versions(self, ids: Sequence[UUID]) -> list[StrategyVersion]:
        return [version_from_row(row) for row in await self._connection.fetch(GET_MANY_VERSIONS, ids)]

    async def get_latest_versions(self, strategy_ids: Sequence[UUID]) -> list[StrategyVersion]:
        return [version_from_row(row) for row in await self._connection.fetch(GET_LATEST_VERSIONS, strategy_ids)]

    async def list_page(self, user_id: UUID, page: KeysetPage, *, archived: bool = False) -> list[Strategy]:
        return [
            strategy_from_row(row) for row in await self._page(SELECT, page, [(OWNER_CONDITIONS[archived], user_id)])
        ]

    async def list_versions(self, user_id: UUID, strategy_id: UUID, page: KeysetPage) -> list[StrategyVersion]:
        conditions = [("strategy_id = {}", strategy_id), ("user_id = {}", user_id)]
        return [version_from_row(row) for row in await self._page(SELECT_VERSION, page, conditions)]

    async def archive(self, user_id: UUID, strategy_id: UUID, at: datetime) -> Strategy | None:
        row = await self._connection.fetchrow(ARCHIVE, strategy_id, user_id, at)
        return None if row is None else strategy_from_row(row)


def strategy_from_row(row: Record) -> Strategy:
    """Return the strategy in a row of `SELECT`."""
    return Strategy(
        id=row["id"],
        user_id=row["user_id"],
        name=row["name"],
        description=row["description"],
        created_at=row["created_at"],
        archived_at=row["archived_at"],
        current_version=row["current_version"],
    )


def version_from_row(row: Record) -> StrategyVersion:
    """Return the version in a row of `SELECT_VERSION`."""
    return StrategyVersion(
        id=row["id"],
        strategy_id=row["strategy_id"],
        user_id=row["user_id"],
        number=row["number"],
        created_at=row["created_at"],
        definition=decode_definition(row["definition"]),
        language_version=row["language_version"],
    )


def _params(strategy: Strategy) -> tuple[object, ...]:
    return (
        strategy.id,
        strategy.user_id,
        strategy.name,
        strategy.description,
        strategy.created_at,
        strategy.archived_at,
        strategy.current_version,
    )


def _version_params(version: StrategyVersion) -> tuple[object, ...]:
    return (
        version.id,
        version.strategy_id,
        version.user_id,
        version.number,
        version.created_at,
        encode_definition(version.definition),
        version.language_version,
    )


def encode_definition(definition: StrategyDefinition) -> bytes:
    """Return the stored form: UTF-8 JSON, keys named and ordered as the fields are, decimals as strings."""
    return msgspec.json.encode(definition)


def decode_definition(data: bytes | str) -> StrategyDefinition:
    """Return what `encode_definition` wrote; raises `msgspec.ValidationError` on anything else."""
    return _DEFINITION.decode(data)
