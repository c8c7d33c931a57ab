"""Exports of users' data in PostgreSQL."""

from datetime import datetime
from uuid import UUID

import asyncpg

from domain.model.data_exports import DataExport
from infra.postgres.repositories.base import Repository

_COLUMNS = "id, user_id, job_id, created_at, expires_at, run_id, size_bytes"
_SELECT = f"SELECT {_COLUMNS} FROM data_exports"


class PostgresDataExports(Repository):
    """See `domain.ports.personal_data.DataExports`."""

    async def add(self, export: DataExport) -> None:
        await self._connection.execute("DELETE FROM data_exports WHERE user_id = $1", export.user_id)
        await self._connection.execute(
            f"INSERT INTO data_exports ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            *(export.id, export.user_id, export.job_id, export.created_at, export.expires_at),
            *(export.run_id, export.size_bytes),
        )

    async def get(self, user_id: UUID, export_id: UUID) -> DataExport | None:
        return await self._one("id = $1 AND user_id = $2", export_id, user_id)

    async def by_id(self, export_id: UUID) -> DataExport | None:
        return await self._one("id = $1", export_id)

    async def of_job(self, job_id: UUID) -> DataExport | None:
        return await self._one("job_id = $1", job_id)

    async def latest(self, user_id: UUID) -> DataExport | None:
        return await self._one("user_id = $1 ORDER BY id DESC LIMIT 1", user_id)

    async def add_piece(self, export_id: UUID, run_id: UUID, number: int, data: bytes) -> None:
        query = "INSERT INTO data_export_pieces (export_id, run_id, number, data) VALUES ($1, $2, $3, $4)"
        await self._connection.execute(query, export_id, run_id, number, data)

    async def complete(self, export_id: UUID, run_id: UUID, size_bytes: int, expires_at: datetime) -> None:
        query = "UPDATE data_exports SET run_id = $2, size_bytes = $3, expires_at = $4 WHERE id = $1"
        await self._connection.execute(query, export_id, run_id, size_bytes, expires_at)
        query = "DELETE FROM data_export_pieces WHERE export_id = $1 AND run_id <> $2"
        await self._connection.execute(query, export_id, run_id)

    async def piece(self, export: DataExport, number: int) -> bytes | None:
        query = "SELECT data FROM data_export_pieces WHERE export_id = $1 AND run_id = $2 AND number = $3"
        found: bytes | None = await self._connection.fetchval(query, export.id, export.run_id, number)
        return found

    async def delete_expired(self, now: datetime, limit: int) -> int:
        query = "DELETE FROM data_exports WHERE id IN (SELECT id FROM data_exports WHERE expires_at <= $1 LIMIT $2)"
        return int((await self._connection.execute(query, now, limit)).rpartition(" ")[2])

    async def _one(self, condition: str, *arguments: object) -> DataExport | None:
        row = await self._connection.fetchrow(f"{_SELECT} WHERE {condition}", *arguments)
        return _from_row(row) if row is not None else None


def _from_row(row: asyncpg.Record) -> DataExport:
    return DataExport(*row.values())
