"""The port of the place where archived files are kept."""

from typing import Protocol

from domain.core.errors import Unavailable


class ArchiveUnavailable(Unavailable):
    """The archive can't be reached; the database can be."""


class ArchiveUnreadable(ArchiveUnavailable):
    """A file of the archive is absent or isn't what was written."""


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

    async def delete_folder(self, folder: str) -> None:
        """Delete all files whose names begin with `folder` and a slash; there may be none."""
        ...
