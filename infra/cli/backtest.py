"""`r3edge backtest`: runs a strategy's definition over stored candles."""

from pathlib import Path
from typing import Annotated

import typer

from infra.cli.options import DataDirectory, run_command
from infra.settings import load_settings

_PERCENT = "in percent; without it, the market's"


def backtest(
    file: Annotated[
        Path, typer.Argument(help="The definition in JSON or YAML, as StrategyDefinitionInput of the API.")
    ],
    market: Annotated[str, typer.Option(help="The market, such as sandbox:BTC/USDT.")],
    start: Annotated[str, typer.Option("--from", help="The first day or time (UTC), such as 2024-01-01.")],
    end: Annotated[str | None, typer.Option("--to", help="Up to this day or time, without it (now).")] = None,
    timeframe: Annotated[str, typer.Option(help="1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 12h, 1d or 1w.")] = "1h",
    equity: Annotated[str, typer.Option(help="What there is to begin with, in the market's quote currency.")] = "10000",
    parameter: Annotated[list[str] | None, typer.Option(help="A parameter's value, as fast=12; repeatable.")] = None,
    taker_fee: Annotated[str | None, typer.Option(help=f"The fee of orders that take, {_PERCENT}.")] = None,
    maker_fee: Annotated[str | None, typer.Option(help=f"The fee of orders that rest, {_PERCENT}.")] = None,
    slippage_bps: Annotated[str, typer.Option(help="How much worse market orders fill, in basis points.")] = "0",
    latency_ms: Annotated[int, typer.Option(help="The time that an order takes to the venue, in ms.", min=0)] = 0,
    fees_in_quote: Annotated[
        bool,
        typer.Option("--fees-in-quote", help="Take fees in quote currency, not from what a fill brings."),
    ] = False,
    detail_timeframe: Annotated[
        str | None, typer.Option(help="A shorter timeframe whose candles say what a candle has reached first.")
    ] = None,
    checks: Annotated[
        bool,
        typer.Option("--checks", help="Check for a look ahead, for the warm-up, and for luck in the order of trades."),
    ] = False,
    seed: Annotated[int, typer.Option(help="The random seed of --checks.", min=0)] = 0,
    picture: Annotated[
        Path | None, typer.Option(help="Draw trades, equity and drawdown into this SVG file.", dir_okay=False)
    ] = None,
    trips: Annotated[int, typer.Option(help="How many of the last round trips are listed.", min=0, max=10_000)] = 10,
    data_dir: DataDirectory = None,
) -> None:
    """Run a strategy's definition over stored candles, by the rules of live trading."""
    settings = load_settings(data_dir=data_dir)
    from dataclasses import replace  # noqa: PLC0415  # other commands start without

    from infra.cli.arguments import parse_timeframe  # noqa: PLC0415  # as above
    from infra.cli.backtest_checks import print_checks, run_checks  # noqa: PLC0415  # as above
    from infra.cli.backtest_options import BacktestOptions  # noqa: PLC0415  # as above
    from infra.cli.backtest_picture import backtest_picture, write_text  # noqa: PLC0415  # as above
    from infra.cli.backtest_run import run_stored_backtest  # noqa: PLC0415  # as above
    from infra.cli.backtest_tables import print_result  # noqa: PLC0415  # as above
    from infra.cli.progress import show_progress  # noqa: PLC0415  # as above

    async def run() -> None:
        from domain.rules.costs import FeeCurrency  # noqa: PLC0415  # as above

        options = BacktestOptions(
            file, parameter, market, timeframe, start, end, equity, taker_fee, maker_fee, slippage_bps, latency_ms
        )
        request = replace(
            options.request(),
            fee_currency=FeeCurrency.QUOTE if fees_in_quote else FeeCurrency.RECEIVED,
            detail=None if detail_timeframe is None else parse_timeframe(detail_timeframe),
        )
        with show_progress() as progress:
            ran = await run_stored_backtest(settings, request, progress)
            checked = await run_checks(ran, seed, progress) if checks else None
        print_result(ran.result, ran.plan.market, trips)
        if checked is not None:
            print_checks(checked)
        if picture is not None:
            title = f"{request.market} {request.timeframe.venue_name}: {file.stem}"
            write_text(picture, backtest_picture(ran.result, ran.bars, ran.start, title))

    run_command(run())
