"""The data directory: one engine at a time in it, and the key that seals venue credentials."""

import base64
import fcntl
import os
import secrets
from pathlib import Path
from typing import Self

from infra.settings import SECRET_KEY_BYTES, Settings, decode_secret_key

LOCK_FILE = "lock"
KEY_FILE = "secret-key"


class DataDirInUse(Exception):  # noqa: N818  # a state of the world, told to the operator
    """Another engine runs on the same data directory."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"another engine is running on {folder}; stop it, or choose another --data-dir")


class DataDirUnusable(Exception):  # noqa: N818  # as above
    """The data directory can't be made or written."""

    def __init__(self, folder: Path, error: OSError) -> None:
        super().__init__(f"{folder} can't be used as data directory: {error.strerror}; choose another --data-dir")


class DataDir:
    """A folder that is held while the engine runs; the kernel lets go of it when the process dies."""

    def __init__(self, folder: Path, lock: int) -> None:
        self.folder = folder
        self._lock = lock

    @classmethod
    def hold(cls, folder: Path) -> Self:
        """Make the folder where it is missing and lock it; raises `DataDirInUse` or `DataDirUnusable`."""
        folder = folder.expanduser().absolute()
        try:
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            lock = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataDirUnusable(folder, error) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            raise DataDirInUse(folder) from None
        return cls(folder, lock)

    def secret_key(self, settings: Settings) -> bytes:
        """Return the key that seals credentials: the setting's, or that of a 0600 file made at the first start."""
        if settings.secret_key is not None:
            return decode_secret_key(settings.secret_key.get_secret_value())
        path = self.folder / KEY_FILE
        try:
            file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return base64.b64decode(path.read_bytes())
        key = secrets.token_bytes(SECRET_KEY_BYTES)
        with os.fdopen(file, "wb") as writing:
            writing.write(base64.b64encode(key))
            writing.flush()
            os.fsync(writing.fileno())
        return key

    def release(self) -> None:
        """Let another engine have it."""
        os.close(self._lock)
