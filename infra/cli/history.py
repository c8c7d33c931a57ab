"""The commands that bring history in bulk: `r3edge backfill` and `r3edge import candles`."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, NoReturn, TypeVar

import typer

from infra.settings import load_settings

CANNOT = 1
USAGE_ERROR = 2
INTERRUPTED = 130

_Result = TypeVar("_Result")

DataDirectory = Annotated[Path | None, typer.Option(help="Where the embedded parts keep their data (r3edge-data).")]

import_app = typer.Typer(help="Data out of files.", no_args_is_help=True, rich_markup_mode=None)


def add_history_commands(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    app.command("backfill")(backfill)
    app.add_typer(import_app, name="import")


def backfill(
    venue: Annotated[str, typer.Argument(help="The venue: sandbox, or one of R3EDGE_VENUES.")],
    market: Annotated[str, typer.Argument(help="The market there, such as BTC/USDT.")],
    timeframe: Annotated[
        str, typer.Option(help="1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 12h, 1d, 1w; several with commas.")
    ],
    start: Annotated[str, typer.Option("--from", help="The first day or time (UTC), such as 2024-01-01.")],
    end: Annotated[str | None, typer.Option("--to", help="Up to this day or time, without it (now).")] = None,
    data_dir: DataDirectory = None,
) -> None:
    """Fetch a market's past candles from its venue, as far as they aren't stored yet."""
    settings = load_settings(data_dir=data_dir)
    from infra.candle_files.arguments import moment, timeframes  # noqa: PLC0415  # other commands start without them
    from infra.cli.backfill import BackfillRequest  # noqa: PLC0415  # as above
    from infra.cli.backfill import backfill as run_backfill  # noqa: PLC0415  # as above
    from infra.cli.progress import telling  # noqa: PLC0415  # as above

    async def run() -> None:
        until = None if end is None else moment(end, "--to")
        request = BackfillRequest(venue, market, timeframes(timeframe), moment(start, "--from"), until)
        with telling() as told:
            await run_backfill(settings, request, told)

    _run(run())


@import_app.command("candles")
def candles(
    files: Annotated[list[Path], typer.Argument(help="CSV (also .gz or .zip), JSON, Parquet or Feather files.")],
    market: Annotated[str, typer.Option(help="The market that they are of, such as sandbox:BTC/USDT.")],
    timeframe: Annotated[str | None, typer.Option(help="1m, 3m, … 12h, 1d or 1w (as the times lie apart).")] = None,
    format: Annotated[str, typer.Option(help="auto, lean, binance or generic.")] = "auto",
    columns: Annotated[
        str | None, typer.Option(help="Which is what, by name or number from 1: time=Date+Time,open=2,volume=none.")
    ] = None,
    timezone: Annotated[str, typer.Option(help="The zone of times without offset, such as Europe/Berlin.")] = "UTC",
    on_conflict: Annotated[str, typer.Option(help="What becomes of a stored candle: replace or keep it.")] = "replace",
    fill_gaps: Annotated[
        bool, typer.Option("--fill-gaps", help="Candles without volume where the file has none.")
    ] = False,
    data_dir: DataDirectory = None,
) -> None:
    """Store candles out of files, each as a whole or not at all."""
    settings = load_settings(data_dir=data_dir)
    from infra.candle_files import arguments as questions  # noqa: PLC0415  # other commands start without them
    from infra.candle_files.columns import ColumnChoice, parse_columns  # noqa: PLC0415  # as above
    from infra.candle_files.formats import FileFormat  # noqa: PLC0415  # as above
    from infra.cli.import_candles import ImportRequest, import_candles  # noqa: PLC0415  # as above
    from infra.cli.progress import telling  # noqa: PLC0415  # as above
    from infra.postgres.bulk_candles import OnConflict  # noqa: PLC0415  # as above

    async def run() -> list[Path]:
        request = ImportRequest(
            files,
            questions.symbol(market),
            None if timeframe is None else questions.timeframe(timeframe),
            questions.one_of(FileFormat, format, "--format"),
            questions.zone(timezone),
            questions.one_of(OnConflict, on_conflict, "--on-conflict"),
            fill_gaps,
            ColumnChoice() if columns is None else parse_columns(columns),
        )
        with telling() as told:
            return await import_candles(settings, request, told)

    if _run(run()):
        raise SystemExit(CANNOT)


def _run(work: Coroutine[None, None, _Result]) -> _Result:
    """Run a command to its end; one that can't be done ends with a line that says why."""
    import uvloop  # noqa: PLC0415  # as above

    from domain.ports.market_data import VenueUnreachable  # noqa: PLC0415  # as above
    from infra.candle_files.arguments import BadArgument  # noqa: PLC0415  # as above
    from infra.runtime.errors import STARTUP_ERRORS  # noqa: PLC0415  # as above

    try:
        return uvloop.run(_until_stopped(work))
    except BadArgument as error:
        _end(error, USAGE_ERROR)
    except (*STARTUP_ERRORS, VenueUnreachable) as error:
        _end(error, CANNOT)
    except (KeyboardInterrupt, asyncio.CancelledError):
        raise SystemExit(INTERRUPTED) from None


async def _until_stopped(work: Coroutine[None, None, _Result]) -> _Result:
    """Do the work; SIGTERM ends it as Ctrl-C does, with what was done told and the database stopped."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work


def _end(error: Exception, code: int) -> NoReturn:
    sys.stderr.write(f"r3edge: {error}\n")
    raise SystemExit(code) from None
