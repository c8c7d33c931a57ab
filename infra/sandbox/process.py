"""Runs an exchange as a process: listens, prints that it is ready, and ends on request."""

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress

import msgspec
import uvicorn
import uvloop

from infra.listening import listen_error
from infra.sandbox.market_data.mirror import LiveVenue
from infra.sandbox.market_data.mirror_markets import CannotMirror
from infra.sandbox.market_data.replay import RecordingError
from infra.sandbox.matching.market_file import MarketFileError
from infra.sandbox.options import SandboxOptions
from infra.sandbox.simulation import Simulation
from infra.sandbox.state.state_folder import FolderInUseError, FolderUnusableError, StateFolder

EXIT_UNUSABLE = 2
BACKLOG = 2048
PING_SECONDS = 20.0
PING_TIMEOUT_SECONDS = 60.0
MAX_MESSAGE_BYTES = 64 * 1024


class CannotListen(Exception):
    """The address can't be listened on; the message says why."""


class _Server(uvicorn.Server):
    """Uvicorn without its signal handling, with a callback when it listens."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to `run_sandbox`, which ends the process with status 0."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to listen, then call `ready`."""
        await super().startup(sockets)
        self._ready()


async def run_sandbox(options: SandboxOptions, live: LiveVenue | None = None) -> None:
    """Serve an exchange, a mirror if `live` is given, until SIGTERM, SIGINT or, if so set, the end of its input.

    Prints one JSON line `{"port", "url", "pid"}` once it accepts connections; raises `FolderInUseError` if another
    process has the folder.
    """
    with StateFolder(options.folder, options.token) as folder:
        simulation = Simulation(folder, options, live)
        listener = open_listener(options.host, options.port)
        server = _Server(_config(simulation), lambda: _announce(options.host, listener))
        _stop_on_request(lambda: _stop(server, simulation), with_stdin=options.exit_with_stdin)
        steps_task = asyncio.create_task(simulation.run())
        steps_task.add_done_callback(lambda task: None if task.cancelled() else _stop(server, simulation))
        try:
            await server.serve(sockets=[listener])
        finally:
            steps_task.cancel()
            with suppress(asyncio.CancelledError):
                await steps_task
            simulation.save()


def run_to_end(options: SandboxOptions) -> int:
    """Run an exchange and return the exit code: 2, with the reason on stderr, if the options can't be used."""
    return run_exchange(run_sandbox(options))


def run_exchange(exchange: Coroutine[None, None, None]) -> int:
    """Run what `run_sandbox` returns to its end and return the exit code, as `run_to_end` does."""
    try:
        uvloop.run(exchange)
    except* (
        FolderInUseError,
        FolderUnusableError,
        CannotListen,
        RecordingError,
        MarketFileError,
        CannotMirror,
        OSError,
    ) as errors:
        sys.stderr.writelines(f"{error}\n" for error in _leaves(errors))
        code = EXIT_UNUSABLE
    else:
        code = 0
    return code


def _leaves(errors: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in errors.exceptions:
        yield from _leaves(error) if isinstance(error, BaseExceptionGroup) else (error,)


def _config(simulation: Simulation) -> uvicorn.Config:
    return uvicorn.Config(
        simulation.app,
        http="httptools",
        ws="websockets-sansio",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_ping_interval=PING_SECONDS,
        ws_ping_timeout=PING_TIMEOUT_SECONDS,
        ws_per_message_deflate=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=1,
    )


def open_listener(host: str, port: int) -> socket.socket:
    """Return a listening TCP socket; raises `CannotListen`."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, OverflowError, UnicodeError) as error:
        listener.close()
        raise CannotListen(listen_error(host, port, error)) from None
    return listener


def _announce(host: str, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    ready = {"port": port, "url": f"http://{shown}:{port}", "pid": os.getpid()}
    sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
    sys.stdout.flush()


def _stop(server: _Server, simulation: Simulation) -> None:
    simulation.disconnect()
    server.should_exit = True


def _stop_on_request(stop: Callable[[], object], *, with_stdin: bool) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    if with_stdin:
        threading.Thread(target=_watch_stdin, args=(loop, stop), daemon=True).start()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: Callable[[], object]) -> None:
    with suppress(OSError):
        while os.read(0, 4096):
            pass
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(stop)
