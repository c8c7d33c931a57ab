"""The port of the place where archived files are kept."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.core.errors import Unavailable


class ArchiveUnavailable(Unavailable):
    """The archive can't be reached; the database can be."""


class ArchiveUnreadable(ArchiveUnavailable):
    """A file of the archive is absent or isn't what was written."""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file as the archive lists it; `written_at` is by the archive's clock."""

    name: str
    size_bytes: int
    written_at: datetime


class ArchiveStorage(Protocol):
    """Keeps files by their names, such as `candles/2025-01/20260301T040506789012/kraken/BTC_EUR.parquet`.

    All methods raise `ArchiveUnavailable`.
    """

    async def write(self, name: str, content: bytes) -> None:
        """Store a file, durably and wholly or not at all; one of that name is replaced."""
        ...

    async def read(self, name: str) -> bytes:
        """Return a file's content; raises `ArchiveUnreadable` if there is none of that name."""
        ...

    async def list_files(self, folder: str) -> list[StoredFile]:
        """Return all files whose names begin with `folder` and a slash, unfinished ones too; there may be none."""
        ...

    async def delete(self, name: str) -> None:
        """Delete a file; there may be none of that name."""
        ...

    async def delete_folder(self, folder: str) -> None:
        """Delete all files whose names begin with `folder` and a slash; there may be none."""
        ...
