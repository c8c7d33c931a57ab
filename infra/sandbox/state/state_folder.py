"""The state folder: a lock for one process at a time, the administrator's token, and the database."""

import fcntl
import os
import secrets
import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

from infra.sandbox.state.store import Store

TOKEN_FILE = "admin-token"  # noqa: S105 - the name of the file
DATABASE_FILE = "sandbox.sqlite3"
LOCK_FILE = "lock"


class FolderInUseError(RuntimeError):
    """Another process serves this folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(f"{folder} is in use by another sandbox exchange")


class FolderUnusableError(RuntimeError):
    """The folder, or what is in it, can't be made, read or written."""

    def __init__(self, folder: Path, reason: str) -> None:
        super().__init__(
            f"{folder} can't be used by the sandbox exchange: {reason}; "
            "this user must be able to write there, and what is in it must be as an exchange left it"
        )


class StateFolder:
    """A locked state folder, open as a context manager."""

    def __init__(self, path: Path, token: str | None = None) -> None:
        self.path = path
        self._given_token = token

    def __enter__(self) -> Self:
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(self.path / LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise FolderUnusableError(self.path, str(error.strerror)) from None
        try:
            self._open()
        except BaseException:
            os.close(self._lock)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.store.close()
        os.close(self._lock)

    def _open(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderInUseError(self.path) from None
        except OSError as error:  # a file system without locks
            raise FolderUnusableError(self.path, f"it can't be locked ({error.strerror})") from None
        try:
            self.token = self._read_token()
            self.store = Store(self.path / DATABASE_FILE)
        except (OSError, UnicodeError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise FolderUnusableError(self.path, str(reason)) from None

    def _read_token(self) -> str:
        """Return the administrator's token: the given one, or one made at first use.

        A file that a crash left empty is replaced.
        """
        if self._given_token is not None:
            return self._given_token
        path = self.path / TOKEN_FILE
        if path.exists() and (token := path.read_text().strip()):
            return token
        token = secrets.token_urlsafe(32)
        fresh = path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(token)
        fresh.replace(path)
        return token
