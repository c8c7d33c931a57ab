"""`r3edge optimize`: searches a strategy's best parameters over stored candles."""

from typing import Annotated

import typer

from infra.cli.backtest_options import BacktestOptions, with_backtest_options
from infra.cli.options import run_command
from infra.settings_loading import load_settings

_OBJECTIVES = "net_profit, sharpe, sortino, calmar or profit_factor."


@with_backtest_options
def optimize(
    options: BacktestOptions,
    trials: Annotated[int, typer.Option(help="How many sets of parameters are tried, on all folds together.")] = 100,
    objective: Annotated[str, typer.Option(help=f"What is made as large as it can be: {_OBJECTIVES}")] = "sharpe",
    folds: Annotated[int, typer.Option(help="How many walk-forward folds the period is cut into.")] = 1,
    seed: Annotated[int, typer.Option(help="Another seed leads to other trials.")] = 0,
    processes: Annotated[
        int | None,
        typer.Option(help="How many trials run at a time; without it, one a processor.", min=1),
    ] = None,
    listed: Annotated[int, typer.Option("--list", help="How many of the best trials are listed.", min=1)] = 10,
) -> None:
    """Search a strategy's best parameters over stored candles, and judge them by candles that were not searched."""
    settings = load_settings(data_dir=options.data_dir)
    import os  # noqa: PLC0415  # other commands start without

    from infra.cli.optimize_tables import print_search  # noqa: PLC0415  # as above
    from infra.cli.progress import show_progress  # noqa: PLC0415  # as above

    async def run() -> None:
        from infra.cli.optimize_run import SearchRequest, parse_objective, run_stored_search  # noqa: PLC0415  # as above

        request = SearchRequest(
            options.request(), trials, parse_objective(objective), folds, seed, processes or os.cpu_count() or 1
        )
        with show_progress() as progress:
            found = await run_stored_search(settings, request, progress)
        print_search(found, request, listed)

    run_command(run())
