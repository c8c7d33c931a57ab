"""The options that `r3edge backtest` and `r3edge optimize` have in common, each declared once, and what they mean."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli.options import DataDirectory

if TYPE_CHECKING:
    from infra.cli.local_backtest import LocalBacktest

_PERCENT = "in percent; without it, the market's, of several the highest"


@dataclass(frozen=True, slots=True)
class BacktestOptions:
    """What the user has written; None for what was left out."""

    file: Annotated[Path, typer.Argument(help="The definition in JSON or YAML, as StrategyDefinitionInput of the API.")]
    market: Annotated[
        list[str], typer.Option(help="The market, such as sandbox:BTC/USDT; repeatable, then they share the equity.")
    ]
    start: Annotated[str, typer.Option("--from", help="The first day or time (UTC), such as 2024-01-01.")]
    end: Annotated[str | None, typer.Option("--to", help="Up to this day or time, without it (now).")] = None
    timeframe: Annotated[str, typer.Option(help="1m, 3m, 5m, 15m, 30m, 1h, 2h, 4h, 6h, 12h, 1d or 1w.")] = "1h"
    equity: Annotated[str, typer.Option(help="What there is to begin with, in the market's quote currency.")] = "10000"
    parameter: Annotated[
        list[str] | None, typer.Option(help="A parameter's value, as fast=12, which is not searched; repeatable.")
    ] = None
    taker_fee: Annotated[str | None, typer.Option(help=f"The fee of orders that take, {_PERCENT}.")] = None
    maker_fee: Annotated[str | None, typer.Option(help=f"The fee of orders that rest, {_PERCENT}.")] = None
    slippage_bps: Annotated[str, typer.Option(help="How much worse market orders fill, in basis points.")] = "0"
    latency_ms: Annotated[int, typer.Option(help="The time that an order takes to the venue, in ms.", min=0)] = 0
    fees_in_quote: Annotated[
        bool, typer.Option("--fees-in-quote", help="Take fees in quote currency, not from what a fill brings.")
    ] = False
    detail_timeframe: Annotated[
        str | None, typer.Option(help="A shorter timeframe whose candles say what a candle has reached first.")
    ] = None
    max_open_positions: Annotated[
        int | None, typer.Option(help="How many of several markets may have a position at once; without it, all.")
    ] = None
    risk_limits: Annotated[
        str | None,
        typer.Option(help="Limits that entries must keep, as maxDailyLoss=100,coolDownLosses=3,coolDownMinutes=60."),
    ] = None
    data_dir: DataDirectory = None

    def request(self) -> "LocalBacktest":
        """Return the request; raises `BadArgument`, and the errors of `read_strategy_file`."""
        # Not at the top: other commands start without.
        from domain.model.backtests import RunSettings  # noqa: PLC0415
        from domain.rules.costs import FeeCurrency  # noqa: PLC0415
        from infra.cli import arguments  # noqa: PLC0415
        from infra.cli.local_backtest import LocalBacktest  # noqa: PLC0415
        from infra.strategy_files.strategy_file import read_strategy_file  # noqa: PLC0415

        def percent(text: str | None, option: str) -> Decimal | None:
            return None if text is None else arguments.parse_amount(text, option)

        market, *others = map(arguments.parse_market, self.market)
        detail = self.detail_timeframe
        return LocalBacktest(
            definition=read_strategy_file(self.file).definition,
            parameters=arguments.parse_parameters(self.parameter or []),
            market=market,
            timeframe=arguments.parse_timeframe(self.timeframe),
            start=arguments.parse_time(self.start, "--from"),
            end=datetime.now(UTC) if self.end is None else arguments.parse_time(self.end, "--to"),
            equity=arguments.parse_amount(self.equity, "--equity", is_positive=True),
            taker_fee_percent=percent(self.taker_fee, "--taker-fee"),
            maker_fee_percent=percent(self.maker_fee, "--maker-fee"),
            slippage_bps=arguments.parse_amount(self.slippage_bps, "--slippage-bps"),
            latency_milliseconds=self.latency_ms,
            fee_currency=FeeCurrency.QUOTE if self.fees_in_quote else FeeCurrency.RECEIVED,
            other_markets=tuple(others),
            settings=RunSettings(
                self.max_open_positions,
                None if detail is None else arguments.parse_timeframe(detail),
                arguments.parse_risk_limits(self.risk_limits or ""),
            ),
        )


def with_backtest_options(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command that has all of the options and its own; it is called with `BacktestOptions` first."""
    shared = [
        inspect.Parameter(
            option.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=inspect.Parameter.empty if option.default is MISSING else option.default,
            annotation=option.type,
        )
        for option in fields(BacktestOptions)
    ]
    own = [each.replace(kind=each.KEYWORD_ONLY) for each in inspect.signature(command).parameters.values()][1:]

    @functools.wraps(command)
    def run(**values: Any) -> None:  # noqa: ANN401  # whatever the signature below says
        options = BacktestOptions(**{option.name: values.pop(option.name) for option in shared})
        command(options, **values)

    run.__signature__ = inspect.Signature([*shared, *own])  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in (*shared, *own)}
    return run
