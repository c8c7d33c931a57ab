"""`r3edge import candles`: stores candles out of files."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli.exit_codes import FAILED
from infra.cli.options import DataDirectory, run_command
from infra.settings_loading import load_settings

import_app = typer.Typer(help="Data out of files.", no_args_is_help=True, rich_markup_mode=None)


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
    from infra.candle_files.columns import ColumnChoice  # noqa: PLC0415  # other commands start without
    from infra.candle_files.formats import FileFormat  # noqa: PLC0415  # as above
    from infra.cli import arguments  # noqa: PLC0415  # as above
    from infra.cli.candle_import import ImportRequest, import_candles  # noqa: PLC0415  # as above
    from infra.cli.progress import show_progress  # noqa: PLC0415  # as above
    from infra.postgres.bulk_candles import OnConflict  # noqa: PLC0415  # as above

    async def run() -> list[Path]:
        request = ImportRequest(
            files,
            arguments.parse_market(market),
            None if timeframe is None else arguments.parse_timeframe(timeframe),
            arguments.parse_choice(FileFormat, format, "--format"),
            arguments.parse_zone(timezone),
            arguments.parse_choice(OnConflict, on_conflict, "--on-conflict"),
            fill_gaps,
            ColumnChoice() if columns is None else arguments.parse_columns(columns),
        )
        with show_progress() as progress:
            return await import_candles(settings, request, progress)

    if run_command(run()):
        raise SystemExit(FAILED)
