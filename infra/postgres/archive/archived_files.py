"""Which files a table has in the archive, and what is in them: known from the manifest, and kept once read."""

import asyncio
import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import groupby
from typing import Final, Generic, TypeVar

from cachetools import LRUCache

from domain.core.background import drop_error
from domain.model.archive import ArchivedFile
from domain.ports.archive import ArchiveStorage, ArchiveUnreadable
from infra.archive_storage.local_copies import read_listed
from infra.postgres.archive.manifest import NEEDED, READABLE, Manifest
from infra.postgres.connection import Connection

MANIFEST_SECONDS: Final = 30.0
"""How old the known manifest may be; far less than the time for which rows stay after their files are listed."""
CACHED_ROWS: Final = 1_000_000
"""How many rows of a table's files are kept in memory: some 60 MB of candles."""

Content = TypeVar("Content")


class ArchivedFiles(Generic[Content]):
    """The files of a table, for those who read them with the stored rows; `Content` is what is kept of a file.

    A file is listed for an hour before its rows leave the database, and rows come back before it is no longer listed.
    So a manifest that is some seconds old lacks no row, whatever happens meanwhile, and what is in both places
    must count once. Methods raise `Unavailable` if a file can't be read: an answer that lacks rows would be wrong.
    Without a storage, what another node archives can't be read, from when it is listed on.
    """

    def __init__(
        self,
        table: str,
        parse: Callable[[bytes], Content],
        storage: ArchiveStorage | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        cached_rows: int = CACHED_ROWS,
    ) -> None:
        self._table = table
        self._parse = parse
        self._storage = storage
        self._monotonic = monotonic
        self._cached_rows = cached_rows
        self._version: str | None = None
        self._files: dict[str, list[ArchivedFile]] = {}
        self._known_until = 0.0
        self._kept: LRUCache[str, tuple[int, Content]] = LRUCache(cached_rows, getsizeof=lambda kept: kept[0])
        self._reading: dict[str, asyncio.Task[Content]] = {}

    async def of_part(self, connection: Connection, part: str) -> Sequence[ArchivedFile]:
        """Return the files of a part, such as a market: those of later batches last."""
        return (await self._listed(connection)).get(part, ())

    async def last(self, connection: Connection, part: str) -> datetime | None:
        """Return the time of the last archived row of a part; None if there is none."""
        return max((file.last for file in await self.of_part(connection, part)), default=None)

    async def first(self, connection: Connection, part: str) -> datetime | None:
        """Return the time of the first archived row of a part; None if there is none."""
        return min((file.first for file in await self.of_part(connection, part)), default=None)

    async def within(self, connection: Connection, part: str, start: datetime, end: datetime) -> list[ArchivedFile]:
        """Return the files of a part that may have rows from `start` to before `end`; those of later batches last."""
        files = await self.of_part(connection, part)
        return [file for file in files if file.first < end and file.last >= start]

    async def months(
        self, connection: Connection, part: str, start: datetime, end: datetime
    ) -> list[list[ArchivedFile]]:
        """Return the files that may have rows of a period, by their months; those of later batches last."""
        files = sorted(await self.within(connection, part, start, end), key=_month)  # stable: the order stays
        return [list(month) for _, month in groupby(files, key=_month)]

    async def content(self, file: ArchivedFile) -> Content:
        """Return what is in a file; those who ask for the same file at once wait for one reading of it."""
        if (kept := self._kept.get(file.name)) is not None:
            return kept[1]
        if self._storage is None:
            raise ArchiveUnreadable(
                f"{self._table} of {file.part} are archived: R3EDGE_ARCHIVE must name the folder that has {file.name}."
            )
        reading = self._reading.get(file.name)
        if reading is None:
            reading = self._reading[file.name] = asyncio.create_task(self._read(self._storage, file))
            reading.add_done_callback(lambda task: self._end_reading(file.name, task))
        return await asyncio.shield(reading)

    def forget(self) -> None:
        """Read the manifest again at the next use."""
        self._known_until = 0.0

    async def _listed(self, connection: Connection) -> dict[str, list[ArchivedFile]]:
        if (read_at := self._monotonic()) >= self._known_until:
            manifest = Manifest(connection, self._table)
            states = NEEDED if self._storage is None else READABLE
            version = await manifest.version(states)
            if version != self._version:
                files = dict[str, list[ArchivedFile]]()
                for file in await manifest.readable_files(states):
                    files.setdefault(file.part, []).append(file)
                self._files, self._version = files, version
            self._known_until = read_at + MANIFEST_SECONDS
        return self._files

    def _end_reading(self, name: str, task: asyncio.Task[Content]) -> None:
        del self._reading[name]
        drop_error(task)

    async def _read(self, storage: ArchiveStorage, file: ArchivedFile) -> Content:
        content = await asyncio.to_thread(self._checked, file, await read_listed(storage, file))
        if file.rows <= self._cached_rows:
            self._kept[file.name] = (file.rows, content)
        return content

    def _checked(self, file: ArchivedFile, content: bytes) -> Content:
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise ArchiveUnreadable(f"The archive's file {file.name} isn't what was written: it is damaged.")
        return self._parse(content)


def _month(file: ArchivedFile) -> tuple[int, int]:
    first = file.first.astimezone(UTC)
    return first.year, first.month
