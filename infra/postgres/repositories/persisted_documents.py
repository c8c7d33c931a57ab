"""The known documents in PostgreSQL."""

from collections.abc import Collection, Sequence
from typing import Final

from domain.model.persisted_documents import PersistedDocument
from infra.postgres.repositories.base import Repository

_BUMP: Final = "UPDATE persisted_document_revision SET revision = revision + 1"
_ADD: Final = """
INSERT INTO persisted_documents (id, text, name, added_at)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
ON CONFLICT DO NOTHING RETURNING id"""


class PostgresPersistedDocuments(Repository):
    """See `domain.ports.persisted_documents.PersistedDocumentRepository`."""

    async def revision(self) -> int:
        revision: int = await self._connection.fetchval("SELECT revision FROM persisted_document_revision")
        return revision

    async def all(self) -> Sequence[PersistedDocument]:
        rows = await self._connection.fetch("SELECT id, text, name, added_at FROM persisted_documents ORDER BY id")
        return [PersistedDocument(**row) for row in rows]

    async def add(self, documents: Sequence[PersistedDocument]) -> Sequence[str]:
        await self._connection.execute(_BUMP)  # first: its row makes writers take turns
        columns = [
            [getattr(document, column) for document in documents] for column in ("id", "text", "name", "added_at")
        ]
        rows = await self._connection.fetch(_ADD, *columns)
        return [row["id"] for row in rows]

    async def remove(self, ids: Collection[str]) -> int:
        await self._connection.execute(_BUMP)
        removed = await self._connection.fetch(
            "DELETE FROM persisted_documents WHERE id = ANY($1) RETURNING id", list(ids)
        )
        return len(removed)
