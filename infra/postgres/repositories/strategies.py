"""Strategies and their immutable versions in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec

from domain.core.pagination import KeysetPage
from domain.model.definitions import StrategyDefinition
from domain.model.strategies import Strategy, StrategyVersion
from infra.postgres.repositories.base import Repository
from infra.postgres.rows.mapper import RowMapper

_DEFINITION = msgspec.json.Decoder(StrategyDefinition)


def encode_definition(definition: StrategyDefinition) -> bytes:
    """Return the stored form: UTF-8 JSON, keys named and ordered as the fields are, decimals as strings."""
    return msgspec.json.encode(definition)


def decode_definition(data: bytes | str) -> StrategyDefinition:
    """Return what `encode_definition` wrote; raises `msgspec.ValidationError` on anything else."""
    return _DEFINITION.decode(data)


_STRATEGIES = RowMapper("strategies", Strategy, decoders={}, encoders={})
_VERSIONS = RowMapper(
    "strategy_versions",
    StrategyVersion,
    decoders={"definition": decode_definition},
    encoders={"definition": encode_definition},
)
strategy_from_row = _STRATEGIES.from_row
version_from_row = _VERSIONS.from_row

SELECT_STRATEGY = _STRATEGIES.select
INSERT_STRATEGY = _STRATEGIES.insert()
SELECT_VERSION = _VERSIONS.select
INSERT_VERSION = _VERSIONS.insert()
UPDATE = """
UPDATE strategies SET name = $2, description = $3, archived_at = $4, current_version = $5 WHERE id = $1"""
GET_FOR_UPDATE = SELECT_STRATEGY + " WHERE id = $1 AND user_id = $2 FOR NO KEY UPDATE"
GET_BY_NAME = SELECT_STRATEGY + " WHERE user_id = $1 AND name = $2 AND archived_at IS NULL ORDER BY id"
GET_MANY = SELECT_STRATEGY + " WHERE id = ANY($1::uuid[])"
ARCHIVE = f"""
UPDATE strategies SET archived_at = coalesce(archived_at, $3) WHERE id = $1 AND user_id = $2
RETURNING {_STRATEGIES.columns}"""
OWNER_CONDITIONS = {True: "user_id = {} AND archived_at IS NOT NULL", False: "user_id = {} AND archived_at IS NULL"}

GET_VERSION = SELECT_VERSION + " WHERE id = $1 AND user_id = $2"
GET_VERSION_BY_NUMBER = SELECT_VERSION + " WHERE strategy_id = $1 AND number = $2 AND user_id = $3"
GET_MANY_VERSIONS = SELECT_VERSION + " WHERE id = ANY($1::uuid[])"
GET_LATEST_VERSIONS = SELECT_VERSION + (
    " WHERE (strategy_id, number) IN (SELECT id, current_version FROM strategies WHERE id = ANY($1::uuid[]))"
)


class PostgresStrategies(Repository):
    """See `domain.ports.strategies.StrategyRepository`."""

    async def add(self, strategy: Strategy, version: StrategyVersion) -> None:
        await self._connection.execute(INSERT_STRATEGY, *_STRATEGIES.params(strategy))
        await self.add_version(version)

    async def get_for_update(self, user_id: UUID, strategy_id: UUID) -> Strategy | None:
        row = await self._connection.fetchrow(GET_FOR_UPDATE, strategy_id, user_id)
        return None if row is None else strategy_from_row(row)

    async def update(self, strategy: Strategy) -> None:
        await self._connection.execute(
            UPDATE, strategy.id, strategy.name, strategy.description, strategy.archived_at, strategy.current_version
        )

    async def add_version(self, version: StrategyVersion) -> None:
        await self._connection.execute(INSERT_VERSION, *_VERSIONS.params(version))

    async def get_version(self, user_id: UUID, version_id: UUID) -> StrategyVersion | None:
        row = await self._connection.fetchrow(GET_VERSION, version_id, user_id)
        return None if row is None else version_from_row(row)

    async def get_version_by_number(self, user_id: UUID, strategy_id: UUID, number: int) -> StrategyVersion | None:
        row = await self._connection.fetchrow(GET_VERSION_BY_NUMBER, strategy_id, number, user_id)
        return None if row is None else version_from_row(row)

    async def get_by_name(self, user_id: UUID, name: str) -> list[Strategy]:
        return [strategy_from_row(row) for row in await self._connection.fetch(GET_BY_NAME, user_id, name)]

    async def get_many(self, ids: Sequence[UUID]) -> list[Strategy]:
        return [strategy_from_row(row) for row in await self._connection.fetch(GET_MANY, ids)]

    async def get_many_versions(self, ids: Sequence[UUID]) -> list[StrategyVersion]:
        return [version_from_row(row) for row in await self._connection.fetch(GET_MANY_VERSIONS, ids)]

    async def get_latest_versions(self, strategy_ids: Sequence[UUID]) -> list[StrategyVersion]:
        return [version_from_row(row) for row in await self._connection.fetch(GET_LATEST_VERSIONS, strategy_ids)]

    async def list_page(self, user_id: UUID, page: KeysetPage, *, archived: bool = False) -> list[Strategy]:
        return [
            strategy_from_row(row)
            for row in await self._page(SELECT_STRATEGY, page, [(OWNER_CONDITIONS[archived], user_id)])
        ]

    async def list_versions(self, user_id: UUID, strategy_id: UUID, page: KeysetPage) -> list[StrategyVersion]:
        conditions = [("strategy_id = {}", strategy_id), ("user_id = {}", user_id)]
        return [version_from_row(row) for row in await self._page(SELECT_VERSION, page, conditions)]

    async def archive(self, user_id: UUID, strategy_id: UUID, at: datetime) -> Strategy | None:
        row = await self._connection.fetchrow(ARCHIVE, strategy_id, user_id, at)
        return None if row is None else strategy_from_row(row)
