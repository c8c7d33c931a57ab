"""The ports of all that is stored about a user, and of exports of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from domain.model.data_exports import DataExport


class PersonalData(Protocol):
    """Everything that is stored about one user, whatever part of the engine stored it."""

    async def erase(self, user_id: UUID, at: datetime) -> list[UUID]:
        """Erase who the user is; return the ids of the login sessions and API keys that ended.

        Deleted are credentials, mails, research, reports, strategies that never traded, and events but those of orders.
        What is a record of trading stays, under the user's id alone: accounts without their names and credentials,
        orders, fills, positions, transfers, equity, signals, trading sessions with their strategies' rules, and which
        actions the user took.
        """
        ...

    def tables(self) -> Sequence[str]:
        """Return the names of all tables that have data of users, but for those that hold secrets alone."""
        ...

    async def rows(self, user_id: UUID, table: str, after: str | None, limit: int) -> list[str]:
        """Return at most `limit` rows of the user's in that table, each as JSON, in the order of their keys.

        `after` is the last row of the page before. Secrets, and hashes of secrets, are left out.
        """
        ...


class DataExports(Protocol):
    """Stores exports, and the pieces of their archives."""

    async def add(self, export: DataExport) -> None:
        """Insert an export, and delete the user's earlier ones."""
        ...

    async def get(self, user_id: UUID, export_id: UUID) -> DataExport | None:
        """Return an export of the user."""
        ...

    async def by_id(self, export_id: UUID) -> DataExport | None:
        """Return an export, of any user."""
        ...

    async def of_job(self, job_id: UUID) -> DataExport | None:
        """Return the export that a job makes."""
        ...

    async def latest(self, user_id: UUID) -> DataExport | None:
        """Return the user's newest export."""
        ...

    async def add_piece(self, export_id: UUID, run_id: UUID, number: int, data: bytes) -> None:
        """Store a piece of an archive that a run of the job makes; the first has the number 0."""
        ...

    async def complete(self, export_id: UUID, run_id: UUID, size_bytes: int, expires_at: datetime) -> None:
        """Store that a run has made the whole archive, and delete the pieces of other runs."""
        ...

    async def piece(self, export: DataExport, number: int) -> bytes | None:
        """Return a piece of the complete archive; None after the last."""
        ...

    async def delete_expired(self, now: datetime, limit: int) -> int:
        """Delete at most `limit` exports that have expired, with their pieces; return how many."""
        ...


class DownloadLinks(Protocol):
    """Signs links that are good for a short time."""

    def sign(self, content: bytes, expires_at: datetime) -> str:
        """Return a token that has this content, all of it signed, in characters that a URL takes as they are."""
        ...

    def read(self, token: str) -> tuple[bytes, datetime] | None:
        """Return the content of a token and when it expires or did; None if the token is forged."""
        ...
