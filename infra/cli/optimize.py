"""`r3edge optimize`: searches a strategy's best parameters over stored candles."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli.options import DataDirectory, run_command
from infra.settings import load_settings

_PERCENT = "in percent; without it, the market's"
_OBJECTIVES = "net_profit, sharpe, sortino, calmar or profit_factor."


def optimize(
    file: Annotated[
        Path, typer.Argument(help="The definition in JSON or YAML, as StrategyDefinitionInput of the API.")
    ],
    market: Annotated[str, typer.Option(help="The market, such as sandbox:BTC/USDT.")],
    start: Annotated[str, typer.Option("--from", help="The first day or time (UTC), such as 2024-01-01.")],
    end: Annotated[str | None, typer.Option("--to", help="Up to this day or time, without it (now).")] = None,
    timeframe: Annotated[str, typer.Option(help="1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 12h, 1d or 1w.")] = "1h",
    trials: Annotated[int, typer.Option(help="How many sets of parameters are tried, on all folds together.")] = 100,
    objective: Annotated[str, typer.Option(help=f"What is made as large as it can be: {_OBJECTIVES}")] = "sharpe",
    folds: Annotated[int, typer.Option(help="How many walk-forward folds the period is cut into.")] = 1,
    seed: Annotated[int, typer.Option(help="Another seed leads to other trials.")] = 0,
    processes: Annotated[
        int | None,
        typer.Option(help="How many trials run at a time; without it, one a processor.", min=1),
    ] = None,
    equity: Annotated[str, typer.Option(help="What there is to begin with, in the market's quote currency.")] = "10000",
    parameter: Annotated[
        list[str] | None, typer.Option(help="A parameter that keeps a value, as fast=12; repeatable.")
    ] = None,
    taker_fee: Annotated[str | None, typer.Option(help=f"The fee of orders that take, {_PERCENT}.")] = None,
    maker_fee: Annotated[str | None, typer.Option(help=f"The fee of orders that rest, {_PERCENT}.")] = None,
    slippage_bps: Annotated[str, typer.Option(help="How much worse market orders fill, in basis points.")] = "0",
    latency_ms: Annotated[int, typer.Option(help="The time that an order takes to the venue, in ms.", min=0)] = 0,
    listed: Annotated[int, typer.Option("--list", help="How many of the best trials are listed.", min=1)] = 10,
    data_dir: DataDirectory = None,
) -> None:
    """Search a strategy's best parameters over stored candles, and judge them by candles that were not searched."""
    settings = load_settings(data_dir=data_dir)
    import os  # noqa: PLC0415  # other commands start without

    from infra.cli.optimize_tables import print_search  # noqa: PLC0415  # as above
    from infra.cli.progress import show_progress  # noqa: PLC0415  # as above

    async def run() -> None:
        from infra.cli.backtest_options import BacktestOptions  # noqa: PLC0415  # as above
        from infra.cli.optimize_run import SearchRequest, parse_objective, run_stored_search  # noqa: PLC0415  # as above

        options = BacktestOptions(
            file, parameter, market, timeframe, start, end, equity, taker_fee, maker_fee, slippage_bps, latency_ms
        )
        request = SearchRequest(
            options.request(), trials, parse_objective(objective), folds, seed, processes or os.cpu_count() or 1
        )
        with show_progress() as progress:
            found = await run_stored_search(settings, request, progress)
        print_search(found, request, listed)

    run_command(run())
