"""`r3edge backfill`: fetches a market's past candles from its venue."""

from typing import Annotated

import typer

from infra.cli.options import DataDirectory, run_command
from infra.settings_loading import load_settings


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
    from infra.cli.arguments import parse_time, parse_timeframes  # noqa: PLC0415  # other commands start without
    from infra.cli.candle_backfill import BackfillRequest, backfill_candles  # noqa: PLC0415  # as above
    from infra.cli.progress import show_progress  # noqa: PLC0415  # as above

    async def run() -> None:
        until = None if end is None else parse_time(end, "--to")
        request = BackfillRequest(venue, market, parse_timeframes(timeframe), parse_time(start, "--from"), until)
        with show_progress() as progress:
            await backfill_candles(settings, request, progress)

    run_command(run())
