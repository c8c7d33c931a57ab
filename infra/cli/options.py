"""What the commands have in common: options, exit codes, and how a command's work is run."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import typer

from infra.cli.exit_codes import FAILED, INTERRUPTED, USAGE_ERROR
from infra.settings import Settings
from infra.settings_loading import load_settings

DataDirectory = Annotated[Path | None, typer.Option(help="Where the embedded parts keep their data (r3edge-data).")]
Replay = Annotated[list[Path] | None, typer.Option(help="A recorded Binance stream that sets the sandbox's prices.")]
Seed = Annotated[int | None, typer.Option(help="The seed of the sandbox's order flow.")]
Mirror = Annotated[str | None, typer.Option(help="A ccxt venue whose live public prices are shown, such as binance.")]

_Result = TypeVar("_Result")


def run_command(work: Coroutine[None, None, _Result]) -> _Result:
    """Run a command's work to its end; an error that the operator can correct ends it with one line.

    Raises `SystemExit` with `USAGE_ERROR` for a bad argument, `FAILED` for other errors, and `INTERRUPTED` after
    SIGTERM or Ctrl-C.
    """
    try:
        return _run(work)
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise SystemExit(INTERRUPTED) from None
    finally:
        work.close()  # it hasn't begun if Ctrl-C came while its libraries were loaded


def _run(work: Coroutine[None, None, _Result]) -> _Result:
    # Not at the top: a command that only checks its options, or prints its help, starts without them.
    import uvloop  # noqa: PLC0415

    from domain.core.errors import InputError, InputErrors  # noqa: PLC0415
    from domain.ports.market_data import VenueUnreachable  # noqa: PLC0415
    from infra.cli.arguments import BadArgument  # noqa: PLC0415
    from infra.runtime.errors import STARTUP_ERRORS  # noqa: PLC0415
    from infra.strategy_files.errors import BadStrategyFile  # noqa: PLC0415

    try:
        return uvloop.run(_until_stopped(work))
    except (BadArgument, BadStrategyFile, InputError, InputErrors) as error:
        _end(error, USAGE_ERROR)
    except (*STARTUP_ERRORS, VenueUnreachable) as error:
        _end(error, FAILED)


def command_settings(data_dir: Path | None) -> Settings:
    """Return the settings of a command that prints something itself: of its log there are warnings alone."""
    settings = load_settings(data_dir=data_dir)
    log_warnings_alone(settings)
    return settings


def log_warnings_alone(settings: Settings) -> None:
    """Keep the lines of events, one for each user, out of what a command prints itself."""
    from infra.logging import configure_logging  # noqa: PLC0415  # as above

    configure_logging("warning", settings.log_format)


async def _until_stopped(work: Coroutine[None, None, _Result]) -> _Result:
    """Do the work; SIGTERM cancels it as Ctrl-C does, so that it reports what is done and stops the database."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGTERM, task.cancel)
    loop.set_exception_handler(_report_unless_cancelled)
    return await work


def _report_unless_cancelled(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Report an error that nobody awaits, but for the one that the driver keeps of a statement that was cancelled."""
    import asyncpg  # noqa: PLC0415  # loaded by the work already

    if not isinstance(context.get("exception"), asyncpg.ConnectionDoesNotExistError):
        loop.default_exception_handler(context)


def _end(error: Exception, code: int) -> NoReturn:
    sys.stderr.write(f"r3edge: {error}\n")
    raise SystemExit(code) from None
