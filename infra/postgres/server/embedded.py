"""Starts, supervises and stops a PostgreSQL server of the engine's own in a folder."""

import asyncio
import contextlib
import logging
import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

import asyncpg

from infra.postgres.server.installation import (
    ROLE,
    EmbeddedPostgresError,
    binary,
    initdb_arguments,
    libraries,
    server_environment,
)
from infra.postgres.server.postmaster import Postmaster, orphans_remain, remove_stale_pidfile, running_postmaster
from infra.postgres.server.server_user import ServerFilesUnreachable, ServerUser, make_reachable, server_user

log = logging.getLogger(__name__)

PASSWORD_FILE = "password"  # noqa: S105  # its name
DATA_FOLDER = "data"

_PORT = 5432
"""It only names the socket; the server listens on no address."""
_LONGEST_SOCKET_FOLDER = 80
"""Bytes; a socket's whole path may have 107 on Linux and 103 on macOS (`sockaddr_un`)."""
_POLL_SECONDS = 0.02
_WATCH_SECONDS = 0.2
_RETRY_SECONDS = 1.0

DURABLE: Mapping[str, str] = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "max_wal_size": "1GB",
    "wal_compression": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_destination": "stderr",
    "logging_collector": "on",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_truncate_on_rotation": "on",
}
"""Settings of a small, durable server; logs of a week are kept."""


class EmbeddedPostgres:
    """PostgreSQL 18 in `folder`, reached over a Unix socket that only its owner may open, with a password.

    `start` takes over a server that an earlier engine left running. `settings` are added to `DURABLE`.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self._folder = folder.absolute()
        self._settings = {**DURABLE, **(settings or {})}
        self._data = self._folder / DATA_FOLDER
        self._user: ServerUser | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_folder: Path | None = None

    def __repr__(self) -> str:
        return f"EmbeddedPostgres({str(self._folder)!r})"

    @property
    def dsn(self) -> str:
        """The address for asyncpg, with its password; known once the server has started."""
        if self._socket_folder is None:
            raise EmbeddedPostgresError("The embedded PostgreSQL has not been started.")
        return self._dsn(ROLE, self._socket_folder)

    async def start(self, timeout_seconds: float = 30.0) -> None:
        """Return once the server accepts connections; raises `EmbeddedPostgresError` and `ServerFilesUnreachable`."""
        deadline = time.monotonic() + timeout_seconds
        try:
            await asyncio.to_thread(self._prepare)
            if not await self._adopt(deadline):
                await self._launch(deadline)
        except (OSError, asyncpg.PostgresError) as error:
            raise EmbeddedPostgresError(f"PostgreSQL can't be started in {self._folder}: {error}") from error

    async def attach(self, timeout_seconds: float = 30.0) -> bool:
        """Find the server that another process runs in the folder; False if none answers in time.

        `dsn` is known then. The server belongs to the other process: `stop` must not be called.
        """
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            postmaster = running_postmaster(self._data)
            if postmaster is not None and self._password_file.exists():
                self._socket_folder = postmaster.socket_folder
                # The process that started the server creates the database, and may be doing it now.
                with contextlib.suppress(OSError, asyncpg.PostgresError):
                    await (await asyncpg.connect(self.dsn, timeout=5)).close()
                    return True
            await asyncio.sleep(_POLL_SECONDS)
        return False

    async def keep_alive(self) -> NoReturn:
        """Restart the server at the same address whenever it ends, until this is cancelled."""
        while True:
            while self._is_running():  # noqa: ASYNC110  # a server that was taken over is no child that could be waited for
                await asyncio.sleep(_WATCH_SECONDS)
            log.warning("PostgreSQL in %s has ended and is started again", self._folder)
            starting = asyncio.create_task(self.start())
            try:
                await asyncio.shield(starting)
            except asyncio.CancelledError:
                # A server that is half started can't be stopped, however often this is cancelled.
                while not starting.done():
                    with contextlib.suppress(asyncio.CancelledError):
                        await asyncio.wait([starting])
                raise
            except (EmbeddedPostgresError, ServerFilesUnreachable) as error:
                log.warning("PostgreSQL could not be started again: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def stop(self, timeout_seconds: float = 30.0) -> None:
        """Stop the server, rolling back open transactions; does nothing if it isn't running."""
        postmaster = running_postmaster(self._data)
        if postmaster is not None:
            await self._shut_down(postmaster, timeout_seconds)
        if self._process is not None:
            await asyncio.to_thread(self._process.wait, timeout_seconds)
            self._process = None
        self._discard_socket_folder()

    def _is_running(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return running_postmaster(self._data) is not None

    def _prepare(self) -> None:
        self._user = server_user(self._data)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._chown_to_server_user(self._folder)
        if self._user is not None:
            for folder in (self._folder, binary("postgres").parent, libraries()):
                make_reachable(folder, self._user)
        if not self._data.exists():
            self._initialise()

    def _initialise(self) -> None:
        """Create the cluster under another name first, so that a crash half-way leaves nothing that looks like one."""
        unfinished = self._folder / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._password_file.unlink(missing_ok=True)
        _write_private(self._password_file, secrets.token_urlsafe(32))
        readable = self._folder / "password.initdb"
        readable.unlink(missing_ok=True)
        _write_private(readable, self._password)
        self._chown_to_server_user(readable)
        self._run_program("initdb", *initdb_arguments(unfinished, readable))
        readable.unlink()
        unfinished.rename(self._data)

    async def _adopt(self, deadline: float) -> bool:
        """Take over a server that runs already; return False if none does and nothing of one is in the way."""
        while (postmaster := running_postmaster(self._data)) is not None:
            self._socket_folder = postmaster.socket_folder
            if await self._accepts_connections():
                return True
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"PostgreSQL (process {postmaster.pid}) in {self._data} doesn't answer.")
            await asyncio.sleep(_POLL_SECONDS)
        await self._wait_for_orphans(deadline)
        return False

    async def _launch(self, deadline: float) -> None:
        self._socket_folder = await asyncio.to_thread(self._make_socket_folder)
        self._process = await asyncio.to_thread(self._spawn)
        while time.monotonic() < deadline:
            if await self._accepts_connections():
                return
            if self._process.poll() is not None:
                raise EmbeddedPostgresError(f"PostgreSQL didn't start: {self._log_tail()}")
            await asyncio.sleep(_POLL_SECONDS)
        raise EmbeddedPostgresError(f"PostgreSQL didn't answer in time: {self._log_tail()}")

    async def _wait_for_orphans(self, deadline: float) -> None:
        while orphans_remain(self._data):
            if time.monotonic() > deadline:
                raise EmbeddedPostgresError(f"Processes of a PostgreSQL that was killed still work in {self._data}.")
            await asyncio.sleep(_POLL_SECONDS)
        remove_stale_pidfile(self._data)

    def _spawn(self) -> subprocess.Popen[bytes]:
        settings = {
            **self._settings,
            "listen_addresses": "",
            "port": str(_PORT),
            "unix_socket_directories": str(self._socket_folder),
            "log_directory": str(self._data / "log"),
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        with self._log.open("wb") as log:
            return subprocess.Popen(  # noqa: S603  # our own binary, our own arguments
                [binary("postgres"), "-D", self._data, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._data,
                env=server_environment(),
                # A session of its own: Ctrl-C in the terminal is for the engine, which stops the server at its end.
                start_new_session=True,
                user=self._user.uid if self._user else None,
                group=self._user.gid if self._user else None,
                extra_groups=[] if self._user else None,
            )

    async def _accepts_connections(self) -> bool:
        """Return whether a connection can be made; creates the database in a new cluster."""
        assert self._socket_folder is not None
        try:
            connection = await asyncpg.connect(self._dsn(ROLE, self._socket_folder), timeout=5)
        except asyncpg.InvalidCatalogNameError:
            await self._create_database(self._socket_folder)
            return True
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError):
            return False
        await connection.close()
        return True

    async def _create_database(self, socket_folder: Path) -> None:
        connection = await asyncpg.connect(self._dsn("postgres", socket_folder), timeout=5)
        try:
            await connection.execute(f"CREATE DATABASE {ROLE}")
        finally:
            await connection.close()

    async def _shut_down(self, postmaster: Postmaster, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        postmaster.send(signal.SIGINT)
        while not self._has_ended(postmaster):
            if time.monotonic() > deadline:
                postmaster.send(signal.SIGQUIT)
                raise EmbeddedPostgresError(
                    f"PostgreSQL (process {postmaster.pid}) didn't stop in {timeout_seconds} s and was cut off; "
                    "it recovers what was committed when it starts again."
                )
            await asyncio.sleep(_POLL_SECONDS)

    def _has_ended(self, postmaster: Postmaster) -> bool:
        if self._process is not None and self._process.pid == postmaster.pid:
            return self._process.poll() is not None
        return not postmaster.is_running()

    def _run_program(self, program: str, *arguments: str | Path) -> None:
        result = subprocess.run(  # noqa: S603  # our own binary, our own arguments
            [binary(program), *arguments],
            capture_output=True,
            check=False,
            cwd=self._folder,
            env=server_environment(),
            user=self._user.uid if self._user else None,
            group=self._user.gid if self._user else None,
            extra_groups=[] if self._user else None,
        )
        if result.returncode != 0:
            raise EmbeddedPostgresError(f"{program} failed: {result.stderr.decode(errors='replace').strip()[-1000:]}")

    def _chown_to_server_user(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, self._user.uid, self._user.gid)

    def _make_socket_folder(self) -> Path:
        """Return a private folder whose path is short enough for a socket, if possible the same as last time."""
        folder = self._folder / "socket"
        if len(os.fsencode(folder)) > _LONGEST_SOCKET_FOLDER:
            folder = self._short_folder()
        folder.mkdir(mode=0o700, exist_ok=True)
        self._chown_to_server_user(folder)
        for left_over in folder.glob(".s.PGSQL.*"):
            # The lock file of a server that was killed names a process id that may be another process's by now.
            left_over.unlink()
        return folder

    def _short_folder(self) -> Path:
        path_file = self._folder / "socket.path"
        with contextlib.suppress(OSError):
            folder = Path(path_file.read_text())
            status = folder.lstat()
            if status.st_uid == self._folder.stat().st_uid and status.st_mode & 0o777 == 0o700:  # noqa: PLR2004  # private
                return folder
        folder = Path(tempfile.mkdtemp(prefix="r3edge-"))
        path_file.write_text(str(folder))
        return folder

    def _discard_socket_folder(self) -> None:
        if self._socket_folder is not None and self._socket_folder.parent != self._folder:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
        self._socket_folder = None

    def _dsn(self, database: str, socket_folder: Path) -> str:
        return f"postgresql://{ROLE}:{self._password}@/{database}?host={quote(str(socket_folder))}&port={_PORT}"

    @property
    def _password_file(self) -> Path:
        return self._folder / PASSWORD_FILE

    @property
    def _password(self) -> str:
        return self._password_file.read_text()

    @property
    def _log(self) -> Path:
        return self._folder / "startup.log"

    def _log_tail(self) -> str:
        """Return the end of the server's output before its log began, and of its newest log."""
        logs = sorted((self._data / "log").glob("*.log"), key=lambda log: log.stat().st_mtime)
        tails = [log.read_text(errors="replace").strip()[-700:] for log in (self._log, *logs[-1:])]
        return "\n".join(tails)


def _write_private(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123  # a descriptor
        file.write(text)
