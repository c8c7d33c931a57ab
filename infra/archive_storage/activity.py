"""What a node has done with the archive: files read and written, how runs ended, and what was there after the last."""

import time
from collections.abc import Awaitable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from domain.core.errors import Unavailable
from domain.core.metrics import LatencyHistogram
from domain.ports.archive import ArchiveStorage, StoredFile

_SECONDS: Final = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60)


@dataclass(slots=True)
class TableTotal:
    """What is archived of a table."""

    files: int = 0
    rows: int = 0
    size_bytes: int = 0


@dataclass(slots=True)
class ArchiveActivity:
    """Counts since the node started.

    - `reads`, `writes`: how long those took that succeeded.
    - `failures`: how many operations failed, by name.
    - `local_reads`: files that were read from their copy on this machine, without the archive.
    - `last_success`, `last_failure`: when a run ended; the first is the time of the start until one has succeeded.
    - `totals`: by table, as of the last run.
    """

    reads: LatencyHistogram = field(default_factory=lambda: LatencyHistogram(_SECONDS))
    writes: LatencyHistogram = field(default_factory=lambda: LatencyHistogram(_SECONDS))
    failures: dict[str, int] = field(default_factory=lambda: {"read": 0, "write": 0, "delete": 0})
    read_bytes: int = 0
    written_bytes: int = 0
    local_reads: int = 0
    last_success: datetime | None = None
    last_failure: datetime | None = None
    totals: dict[str, TableTotal] = field(default_factory=dict)


class CountedStorage:
    """Implements `domain.ports.archive.ArchiveStorage` by another one, and counts what is done."""

    def __init__(self, storage: ArchiveStorage, activity: ArchiveActivity) -> None:
        self._storage = storage
        self._activity = activity

    def __repr__(self) -> str:
        return f"CountedStorage({self._storage!r})"

    async def write(self, name: str, content: bytes) -> None:
        began = time.perf_counter()
        try:
            await self._storage.write(name, content)
        except Unavailable:
            self._activity.failures["write"] += 1
            raise
        self._activity.writes.observe(time.perf_counter() - began)
        self._activity.written_bytes += len(content)

    async def read(self, name: str) -> bytes:
        began = time.perf_counter()
        try:
            content = await self._storage.read(name)
        except Unavailable:
            self._activity.failures["read"] += 1
            raise
        self._activity.reads.observe(time.perf_counter() - began)
        self._activity.read_bytes += len(content)
        return content

    async def list_files(self, folder: str) -> list[StoredFile]:
        return await self._storage.list_files(folder)

    async def delete(self, name: str) -> None:
        await self._counted(self._storage.delete(name))

    async def delete_folder(self, folder: str) -> None:
        await self._counted(self._storage.delete_folder(folder))

    async def _counted(self, deleting: Awaitable[None]) -> None:
        try:
            await deleting
        except Unavailable:
            self._activity.failures["delete"] += 1
            raise
