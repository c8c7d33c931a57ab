"""`r3edge backtest`: runs a strategy's definition over stored candles."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli.backtest_options import BacktestOptions, with_backtest_options
from infra.cli.options import run_command
from infra.settings_loading import load_settings


@with_backtest_options
def backtest(
    options: BacktestOptions,
    checks: Annotated[
        bool,
        typer.Option("--checks", help="Check for a look ahead, for the warm-up, and for luck in the order of trades."),
    ] = False,
    seed: Annotated[int, typer.Option(help="The random seed of --checks.", min=0)] = 0,
    picture: Annotated[
        Path | None, typer.Option(help="Draw trades, equity and drawdown into this SVG file.", dir_okay=False)
    ] = None,
    report: Annotated[
        Path | None, typer.Option(help="Write a page with all figures and charts into this HTML file.", dir_okay=False)
    ] = None,
    trips: Annotated[int, typer.Option(help="How many of the last round trips are listed.", min=0, max=10_000)] = 10,
) -> None:
    """Run a strategy's definition over stored candles, by the rules of live trading."""
    settings = load_settings(data_dir=options.data_dir)
    from infra.cli.arguments import BadArgument  # noqa: PLC0415  # other commands start without
    from infra.cli.backtest_checks import print_checks, run_checks  # noqa: PLC0415  # as above
    from infra.cli.backtest_page import backtest_page  # noqa: PLC0415  # as above
    from infra.cli.backtest_picture import backtest_picture, write_text  # noqa: PLC0415  # as above
    from infra.cli.backtest_run import run_stored_backtest  # noqa: PLC0415  # as above
    from infra.cli.backtest_tables import print_result  # noqa: PLC0415  # as above
    from infra.cli.progress import show_progress  # noqa: PLC0415  # as above

    async def run() -> None:
        request = options.request()
        if picture is not None and request.other_markets:
            raise BadArgument("--picture draws the trades of one market; give one --market")
        with show_progress() as progress:
            ran = await run_stored_backtest(settings, request, progress)
            checked = await run_checks(ran, seed, progress) if checks else None
        print_result(ran.result, ran.plan.market, trips)
        if checked is not None:
            print_checks(checked)
        if report is not None:
            write_text(report, backtest_page(ran, options.file.stem))
        if picture is not None:
            title = f"{request.market} {request.timeframe.venue_name}: {options.file.stem}"
            bars = ran.markets[0].bars
            write_text(picture, backtest_picture(ran.result, bars, bars.index_of(request.start), title))

    run_command(run())
