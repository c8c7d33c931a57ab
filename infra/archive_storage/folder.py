"""A folder for archived files."""

import asyncio
import os
import shutil
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from stat import S_ISREG

from domain.ports.archive import ArchiveUnavailable, ArchiveUnreadable, StoredFile


class FolderStorage:
    """Implements `domain.ports.archive.ArchiveStorage`; nodes that share a database must share the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __repr__(self) -> str:
        return f"FolderStorage({str(self._folder)!r})"

    async def write(self, name: str, content: bytes) -> None:
        await asyncio.to_thread(self._write, self._folder / name, content)

    async def read(self, name: str) -> bytes:
        return await asyncio.to_thread(self._read, name)

    async def list_files(self, folder: str) -> list[StoredFile]:
        return await asyncio.to_thread(self._list, folder)

    async def delete(self, name: str) -> None:
        await asyncio.to_thread(self._delete_file, self._folder / name)

    async def delete_folder(self, folder: str) -> None:
        await asyncio.to_thread(self._delete, self._folder / folder)

    def _write(self, path: Path, content: bytes) -> None:
        """Write under another name first: a crash leaves the whole file or none of that name."""
        unfinished = path.with_name(f".{path.name}.{os.getpid()}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with unfinished.open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
            self._sync_folders(path.parent)
        except OSError as error:
            with suppress(OSError):
                unfinished.unlink()
            raise ArchiveUnavailable(f"The archive can't be written: {path}: {error.strerror}.") from error

    def _sync_folders(self, folder: Path) -> None:
        """Make the file's name durable, and those of the folders that lead to it."""
        for each in (folder, *folder.parents):
            opened = os.open(each, os.O_RDONLY)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)
            if each == self._folder:
                break

    def _read(self, name: str) -> bytes:
        try:
            return (self._folder / name).read_bytes()
        except FileNotFoundError:
            raise ArchiveUnreadable(f"The archive has no file {name} in {self._folder}.") from None
        except OSError as error:
            raise ArchiveUnavailable(f"The archive can't be read: {self._folder / name}: {error.strerror}.") from error

    def _list(self, folder: str) -> list[StoredFile]:
        files: list[StoredFile] = []
        try:
            for path in (self._folder / folder).rglob("*"):
                with suppress(FileNotFoundError):  # deleted meanwhile
                    status = path.stat()
                    if S_ISREG(status.st_mode):
                        written_at = datetime.fromtimestamp(status.st_mtime, UTC)
                        files.append(StoredFile(str(path.relative_to(self._folder)), status.st_size, written_at))
        except OSError as error:
            raise ArchiveUnavailable(f"The archive can't be listed: {self._folder}: {error.strerror}.") from error
        return files

    def _delete_file(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise ArchiveUnavailable(f"The archive's {path} can't be deleted: {error.strerror}.") from error

    def _delete(self, path: Path) -> None:
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise ArchiveUnavailable(f"The archive's {path} can't be deleted: {error.strerror}.") from error
