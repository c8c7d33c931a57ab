"""Strategies and their immutable versions in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from domain.core.keyset import KeysetPage
from domain.model.strategies import Strategy, StrategyVersion
from domain.strategies.serialization import decode_definition, encode_definition
from infra.postgres.repositories.base import Repository

COLUMNS = "id, user_id, name, description, created_at, archived_at, current_version"
SELECT = f"SELECT {COLUMNS} FROM strategies"
INSERT = f"INSERT INTO strategies ({COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)"
UPDATE = """
UPDATE strategies SET name = $2, description = $3, archived_at = $4, current_version = $5 WHERE id = $1"""
GET = SELECT + " WHERE id = $1 AND user_id = $2"
LOCKED = GET + " FOR NO KEY UPDATE"
MANY = SELECT + " WHERE id = ANY($1::uuid[])"
ARCHIVE = f"""
UPDATE strategies SET archived_at = coalesce(archived_at, $3) WHERE id = $1 AND user_id = $2
RETURNING {COLUMNS}"""
OF_USER = {True: "user_id = {} AND archived_at IS NOT NULL", False: "user_id = {} AND archived_at IS NULL"}

SELECT_VERSION = """
SELECT id, strategy_id, user_id, number, created_at, definition, language_version FROM strategy_versions"""
INSERT_VERSION = """
INSERT INTO strategy_versions (id, strategy_id, user_id, number, created_at, definition, language_version)
VALUES ($1, $2, $3, $4, $5, $6, $7)"""
VERSION = SELECT_VERSION + " WHERE id = $1 AND user_id = $2"
VERSION_BY_NUMBER = SELECT_VERSION + " WHERE strategy_id = $1 AND number = $2 AND user_id = $3"
VERSIONS_BY_IDS = SELECT_VERSION + " WHERE id = ANY($1::uuid[])"
NEWEST_VERSIONS = SELECT_VERSION + (
    " WHERE (strategy_id, number) IN (SELECT id, current_version FROM strategies WHERE id = ANY($1::uuid[]))"
)


class PostgresStrategies(Repository):
    """See `domain.ports.strategies.StrategyRepository`."""

    async def add(self, strategy: Strategy, version: StrategyVersion) -> None:
        """Store a new strategy with its first version."""
        await self._connection.execute(INSERT, *_values(strategy))
        await self.add_version(version)

    async def get(self, user_id: UUID, strategy_id: UUID, *, lock: bool = False) -> Strategy | None:
        """Return a strategy of the user; `lock` holds it until the transaction ends."""
        row = await self._connection.fetchrow(LOCKED if lock else GET, strategy_id, user_id)
        return None if row is None else strategy_of(row)

    async def update(self, strategy: Strategy) -> None:
        """Store name, description, archiving and the number of the newest version."""
        await self._connection.execute(
            UPDATE, strategy.id, strategy.name, strategy.description, strategy.archived_at, strategy.current_version
        )

    async def add_version(self, version: StrategyVersion) -> None:
        """Store a new version."""
        await self._connection.execute(INSERT_VERSION, *_version_values(version))

    async def version(self, user_id: UUID, version_id: UUID) -> StrategyVersion | None:
        """Return a version of a strategy of the user."""
        row = await self._connection.fetchrow(VERSION, version_id, user_id)
        return None if row is None else version_of(row)

    async def version_by_number(self, user_id: UUID, strategy_id: UUID, number: int) -> StrategyVersion | None:
        """Return a version by its number."""
        row = await self._connection.fetchrow(VERSION_BY_NUMBER, strategy_id, number, user_id)
        return None if row is None else version_of(row)

    async def many(self, ids: Sequence[UUID]) -> list[Strategy]:
        """Return the strategies that exist, in any order (for batches)."""
        return [strategy_of(row) for row in await self._connection.fetch(MANY, ids)]

    async def versions_by_ids(self, ids: Sequence[UUID]) -> list[StrategyVersion]:
        """Return the versions that exist, in any order (for batches)."""
        return [version_of(row) for row in await self._connection.fetch(VERSIONS_BY_IDS, ids)]

    async def newest_versions(self, strategy_ids: Sequence[UUID]) -> list[StrategyVersion]:
        """Return the newest version of each strategy, in any order (for batches)."""
        return [version_of(row) for row in await self._connection.fetch(NEWEST_VERSIONS, strategy_ids)]

    async def page(self, user_id: UUID, window: KeysetPage, *, archived: bool = False) -> list[Strategy]:
        """Return the user's strategies, archived ones alone or none of them."""
        return [strategy_of(row) for row in await self._page(SELECT, window, [(OF_USER[archived], user_id)])]

    async def versions(self, user_id: UUID, strategy_id: UUID, window: KeysetPage) -> list[StrategyVersion]:
        """Return the versions of a strategy."""
        conditions = [("strategy_id = {}", strategy_id), ("user_id = {}", user_id)]
        return [version_of(row) for row in await self._page(SELECT_VERSION, window, conditions)]

    async def archive(self, user_id: UUID, strategy_id: UUID, at: datetime) -> Strategy | None:
        """Mark a strategy as archived, at the time of the first call; None where there is none."""
        row = await self._connection.fetchrow(ARCHIVE, strategy_id, user_id, at)
        return None if row is None else strategy_of(row)


def strategy_of(row: Record) -> Strategy:
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


def version_of(row: Record) -> StrategyVersion:
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


def _values(strategy: Strategy) -> tuple[object, ...]:
    return (
        strategy.id,
        strategy.user_id,
        strategy.name,
        strategy.description,
        strategy.created_at,
        strategy.archived_at,
        strategy.current_version,
    )


def _version_values(version: StrategyVersion) -> tuple[object, ...]:
    return (
        version.id,
        version.strategy_id,
        version.user_id,
        version.number,
        version.created_at,
        encode_definition(version.definition),
        version.language_version,
    )
