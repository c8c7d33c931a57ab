"""Copies of archived files on this machine, so that one that is far away is fetched once."""

import asyncio
import hashlib
import logging
import os
from collections import OrderedDict
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Final

from domain.model.archive import ArchivedFile
from domain.ports.archive import ArchiveStorage, StoredFile
from infra.archive_storage.activity import ArchiveActivity

log = logging.getLogger(__name__)

COPIED_TABLES: Final = frozenset({"candles", "trades", "depth_snapshots"})
"""What everybody may see. Files of users are never copied: when a user is erased, they go from the archive."""
_SUFFIX: Final = ".parquet"


class LocalCopies:
    """Implements `domain.ports.archive.ArchiveStorage` by another one; what `read_listed` reads is kept in a folder.

    A copy is named by its hash, and compared with it whenever it is read. The ones that nobody has read for longest
    go when all together are larger than `most_bytes`. A folder that can't be written is as if there were none.
    Several processes may have the same folder.
    """

    def __init__(self, storage: ArchiveStorage, folder: Path, most_bytes: int, activity: ArchiveActivity) -> None:
        self._storage = storage
        self._folder = folder
        self._most_bytes = most_bytes
        self._activity = activity
        self._lock = Lock()
        self._sizes: OrderedDict[str, int] | None = None

    def __repr__(self) -> str:
        return f"LocalCopies({self._storage!r})"

    async def write(self, name: str, content: bytes) -> None:
        await self._storage.write(name, content)

    async def read(self, name: str) -> bytes:
        return await self._storage.read(name)

    async def list_files(self, folder: str) -> list[StoredFile]:
        return await self._storage.list_files(folder)

    async def delete(self, name: str) -> None:
        await self._storage.delete(name)

    async def delete_folder(self, folder: str) -> None:
        await self._storage.delete_folder(folder)

    async def read_listed(self, file: ArchivedFile) -> bytes:
        """Return a file's content, from its copy if that is as the manifest has it."""
        if file.name.partition("/")[0] not in COPIED_TABLES:
            return await self._storage.read(file.name)
        if (copied := await asyncio.to_thread(self._copied, file.sha256)) is not None:
            self._activity.local_reads += 1
            return copied
        content = await self._storage.read(file.name)
        await asyncio.to_thread(self._copy, file.sha256, content)
        return content

    def _copied(self, sha256: str) -> bytes | None:
        path = self._path(sha256)
        try:
            content = path.read_bytes()
        except OSError:
            return None
        with self._lock:
            if sha256 in self._known():
                self._known().move_to_end(sha256)
        if hashlib.sha256(content).hexdigest() == sha256:
            with suppress(OSError):
                os.utime(path)
            return content
        log.warning("a copy of an archived file was damaged, and is fetched again: %s", path)
        return None

    def _copy(self, sha256: str, content: bytes) -> None:
        if len(content) > self._most_bytes or hashlib.sha256(content).hexdigest() != sha256:
            return
        path = self._path(sha256)
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            unfinished.write_bytes(content)
            unfinished.replace(path)
        except OSError as error:
            log.warning("an archived file can't be copied to %s: %s", self._folder, error.strerror)
            with suppress(OSError):
                unfinished.unlink()
            return
        with self._lock:
            self._known()[sha256] = len(content)
            self._make_room()

    def _known(self) -> OrderedDict[str, int]:
        """Return the sizes of the copies by their hashes, the one that was read last at the end."""
        if self._sizes is None:
            found: list[tuple[float, str, int]] = []
            with suppress(OSError):
                for path in self._folder.glob(f"*{_SUFFIX}"):
                    status = path.stat()
                    found.append((status.st_mtime, path.stem, status.st_size))
            self._sizes = OrderedDict((name, size) for _, name, size in sorted(found))
        return self._sizes

    def _make_room(self) -> None:
        sizes = self._known()
        left = sum(sizes.values()) - self._most_bytes
        while left > 0:
            sha256, size = sizes.popitem(last=False)
            with suppress(OSError):
                self._path(sha256).unlink()
            left -= size

    def _path(self, sha256: str) -> Path:
        return self._folder / f"{sha256}{_SUFFIX}"


async def read_listed(storage: ArchiveStorage, file: ArchivedFile) -> bytes:
    """Return a listed file's content, from its copy on this machine if the storage keeps any."""
    if isinstance(storage, LocalCopies):
        return await storage.read_listed(file)
    return await storage.read(file.name)
