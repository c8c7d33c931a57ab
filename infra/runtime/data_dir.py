"""The data directory: one engine at a time in it, and the key that seals venue credentials."""

import base64
import binascii
import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from infra.setting_types import SECRET_KEY_BYTES, decode_secret_key
from infra.settings import Settings

LOCK_FILE = "lock"
KEY_FILE = "secret-key"
ENGINE = "another engine"
"""The default holder of a data directory, as named in the error message for another one."""
MOST_PURPOSE_BYTES = 100


class DataDirInUse(Exception):
    """Another engine, or a command, runs on the same data directory; `holder` is its name for itself."""

    def __init__(self, folder: Path, holder: str) -> None:
        super().__init__(f"{holder} is running on {folder}; stop it, or choose another --data-dir")


class DataDirUnusable(Exception):
    """The data directory can't be made or written."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(f"{folder} can't be used as data directory: {reason}")


class DataDir:
    """A folder that is held while the engine runs; the kernel releases it when the process dies."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock

    @classmethod
    def hold(cls, folder: Path, purpose: str = ENGINE) -> Self:
        """Make the folder if it is missing and lock it for `purpose`; raises `DataDirInUse` or `DataDirUnusable`."""
        folder = folder.expanduser().absolute()
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataDirUnusable(folder, f"{error.strerror}; choose another --data-dir") from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            present = _read_holder(lock)
            os.close(lock)
            raise DataDirInUse(folder, present) from None
        except OSError as error:  # a file system without locks, such as some network folders
            os.close(lock)
            raise DataDirUnusable(folder, f"it can't be locked ({error.strerror}); choose a local folder") from None
        os.truncate(lock, 0)
        os.pwrite(lock, purpose.encode(), 0)
        return cls(folder, lock)

    def secret_key(self, settings: Settings) -> bytes:
        """Return the key that seals credentials: the setting's, or that of a 0600 file made at the first start.

        Raises `DataDirUnusable` if the file holds no key: a new one could not open what the old one sealed.
        """
        if settings.secret_key is not None:
            return decode_secret_key(settings.secret_key.get_secret_value())
        path = self.folder / KEY_FILE
        try:
            if not path.exists():
                self._make_key(path)
            return decode_secret_key(path.read_text("ascii").strip())
        except (ValueError, binascii.Error):
            reason = f"the file {KEY_FILE} in it holds no key of 32 bytes in base64; put it back from a backup"
            raise DataDirUnusable(self.folder, reason) from None
        except OSError as error:
            raise DataDirUnusable(self.folder, f"{KEY_FILE}: {error.strerror}") from None

    def _make_key(self, path: Path) -> None:
        """Write the key to a temporary file first, so that a crash leaves no half of one."""
        fresh = path.with_suffix(".new")
        file = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(file, "wb") as writing:
            writing.write(base64.b64encode(secrets.token_bytes(SECRET_KEY_BYTES)))
            writing.flush()
            os.fsync(writing.fileno())
        fresh.replace(path)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def release(self) -> None:
        """Release the folder for another engine."""
        os.close(self._lock)


def holder(folder: Path) -> str | None:
    """Return who runs on a data directory, by its name for itself; None if nobody does. Nothing is made or held."""
    try:
        file = os.open(folder / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return _read_holder(file)
    except OSError:  # a file system without locks
        return None
    finally:
        os.close(file)
    return None


def _read_holder(lock: int) -> str:
    return os.pread(lock, MOST_PURPOSE_BYTES, 0).decode(errors="replace") or ENGINE


@contextmanager
def held_data_dir(settings: Settings) -> Iterator[DataDir | None]:
    """Hold the data directory inside the block if the database is embedded in it; give None if it isn't."""
    if settings.database_url is not None:
        yield None
        return
    data_dir = DataDir.hold(settings.data_dir)
    try:
        yield data_dir
    finally:
        data_dir.release()


def known_secret_key(settings: Settings, folder: Path) -> bytes | None:
    """Return the key that seals credentials without making one; None if there is none yet."""
    if settings.secret_key is not None:
        return decode_secret_key(settings.secret_key.get_secret_value())
    path = folder / KEY_FILE
    return decode_secret_key(path.read_text("ascii").strip()) if path.exists() else None
