"""Runs a backtest for `r3edge backtest`, over stored candles, with or without a running engine."""

from dataclasses import dataclass
from functools import partial

from domain.backtest.engine import NoBars, UnsupportedDefinition, run_markets
from domain.backtest.market_bars import MarketBars
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult
from domain.core.clock import to_milliseconds
from domain.core.errors import InputErrors
from domain.strategies.compiled import compile_definition
from infra.cli.arguments import BadArgument
from infra.cli.local_backtest import LocalBacktest, check_request
from infra.cli.progress import ProgressReporter, compute_in_thread
from infra.cli.stored_candles import load_candles
from infra.settings import Settings


@dataclass(frozen=True, slots=True)
class StoredBacktest:
    """A backtest that has run: its result, and what it ran on; the period begins `start` milliseconds after 1970."""

    result: BacktestResult
    plan: BacktestPlan
    markets: tuple[MarketBars, ...]
    start: int


async def run_stored_backtest(settings: Settings, request: LocalBacktest, progress: ProgressReporter) -> StoredBacktest:
    """Return the backtest of a request; raises `BadArgument` and `StartupError`."""
    check_request(request)
    try:
        compiled = compile_definition(request.definition, request.parameters, request.timeframe)
    except InputErrors as errors:
        raise BadArgument("\n".join(error.message for error in errors.errors)) from None
    stored = await load_candles(settings, request, [compiled], progress)
    known = [candles.market for candles in stored.markets]
    plan = BacktestPlan(
        request.definition,
        compiled,
        known[0],
        request.timeframe,
        request.costs(*known),
        request.equity,
        request.latency_milliseconds,
        request.settings.max_open_positions,
        request.settings.risk_limits,
    )
    markets, start = tuple(MarketBars.of(candles) for candles in stored.markets), to_milliseconds(request.start)
    progress.start("trading", max(len(market.bars) for market in markets))
    try:
        result = await compute_in_thread(progress, partial(run_markets, plan, markets, start))
    except (UnsupportedDefinition, NoBars) as error:
        raise BadArgument(str(error)) from None
    progress.reach(1)
    return StoredBacktest(result, plan, markets, start)
