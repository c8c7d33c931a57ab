"""Runs a backtest for `r3edge backtest`, over stored candles, with or without a running engine."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from domain.backtest.bars import Bars
from domain.backtest.engine import NoBars, UnsupportedDefinition, run_markets
from domain.backtest.market_bars import MarketBars
from domain.backtest.plan import BacktestPlan
from domain.backtest.result import BacktestResult
from domain.core.clock import from_milliseconds
from domain.core.errors import InputErrors
from domain.core.money import ZERO
from domain.indicators.candle_arrays import CandleArrays, SeriesKey
from domain.model.definitions import StrategyDefinition
from domain.model.markets import Market, MarketSymbol, Timeframe
from domain.rules.costs import FeeCurrency, TradingCosts, fee_percent
from domain.strategies.compiled import CompiledStrategy, compile_definition
from domain.strategies.validation import unsupported_errors
from infra.cli.arguments import BadArgument, unknown_name
from infra.cli.progress import ProgressReporter
from infra.postgres.bulk_candles import acquired_connection
from infra.postgres.candle_series import read_bars
from infra.postgres.connection import Connection
from infra.postgres.repositories.market_data import PostgresMarketData
from infra.runtime.command_resources import open_command_resources
from infra.settings import Settings

PURPOSE = "r3edge backtest"


@dataclass(frozen=True, slots=True)
class BacktestRequest:
    """What to run, on the candles that open from `start` to before `end`; fees in percent, None for the market's.

    `detail` is a shorter timeframe whose candles say what happened inside of one.
    """

    definition: StrategyDefinition
    parameters: Mapping[str, Decimal]
    market: MarketSymbol
    timeframe: Timeframe
    start: datetime
    end: datetime
    equity: Decimal
    taker_fee_percent: Decimal | None = None
    maker_fee_percent: Decimal | None = None
    slippage_bps: Decimal = ZERO
    latency_milliseconds: int = 0
    fee_currency: FeeCurrency = FeeCurrency.RECEIVED
    detail: Timeframe | None = None


@dataclass(frozen=True, slots=True)
class StoredCandles:
    """The stored market and candles of a request, from its warm-up on, and the spans in which some are missing."""

    market: Market
    bars: Bars
    gaps: list[tuple[datetime, datetime]]
    detail: Bars | None = None


@dataclass(frozen=True, slots=True)
class StoredBacktest:
    """A backtest that has run: its result, and what it ran on; the period begins with bar `start`."""

    result: BacktestResult
    plan: BacktestPlan
    bars: Bars
    start: int
    detail: Bars | None


async def run_stored_backtest(
    settings: Settings, request: BacktestRequest, progress: ProgressReporter
) -> StoredBacktest:
    """Return the backtest of a request; raises `BadArgument` and `StartupError`."""
    check_request(request)
    try:
        compiled = compile_definition(request.definition, request.parameters, request.timeframe)
    except InputErrors as errors:
        raise BadArgument("\n".join(error.message for error in errors.errors)) from None
    stored = await load_candles(settings, request, compiled.warm_up, progress, compiled)
    market, bars = stored.market, stored.bars
    plan = BacktestPlan(
        request.definition,
        compiled,
        market,
        request.timeframe,
        trading_costs(request, market),
        request.equity,
        request.latency_milliseconds,
    )
    start = bars.index_of(request.start)
    print_missing(request, stored, compiled.warm_up, progress)
    try:
        result = await _run(plan, stored, start, progress)
    except UnsupportedDefinition as error:
        raise BadArgument(str(error)) from None
    except NoBars:
        raise no_candles(request) from None
    return StoredBacktest(result, plan, bars, start, stored.detail)


def check_request(request: BacktestRequest) -> None:
    """Raise `BadArgument` for a period without length, and for rules that no market can carry out."""
    if request.end <= request.start:
        raise BadArgument(f"--to ({request.end:%Y-%m-%d %H:%M}) must be after --from ({request.start:%Y-%m-%d %H:%M})")
    if request.detail is not None and not request.detail.divides(request.timeframe):
        raise BadArgument(
            f"--detail-timeframe must be shorter than --timeframe ({request.timeframe.venue_name}) and divide it"
        )
    for error in unsupported_errors(request.definition):
        if error.path and error.path[0] in {"enterShort", "exitShort"}:
            raise BadArgument(f"{error.path[0]}: {error.message}")


async def load_candles(
    settings: Settings,
    request: BacktestRequest,
    warm_up: int,
    progress: ProgressReporter,
    compiled: CompiledStrategy | None = None,
) -> StoredCandles:
    """Return the market and the candles, from `warm_up` candles before the start on.

    With `compiled` those of other markets that its rules name are there too.
    """
    before = warm_up * request.timeframe.duration
    async with (
        open_command_resources(settings, PURPOSE) as resources,
        acquired_connection(await resources.pool()) as driver,
    ):
        connection = Connection(driver)
        stored = PostgresMarketData(connection)
        market = await _market(stored, request.market)
        candles = (request.end - request.start + before) // request.timeframe.duration
        progress.start(f"{request.market} {request.timeframe.venue_name}: reading", candles)
        bars = await read_bars(
            connection, request.market, request.timeframe, request.start - before, request.end, progress.advance
        )
        if compiled is not None:
            bars = await _with_others(connection, request, compiled, bars)
        detail = None
        if request.detail is not None:
            detail = await read_bars(connection, request.market, request.detail, request.start, request.end)
        gaps = await stored.candle_gaps(
            request.market,
            request.timeframe,
            request.timeframe.open_time(request.start),
            request.timeframe.open_time(request.end),
        )
    return StoredCandles(market, bars, gaps, detail)


def no_candles(request: BacktestRequest) -> BadArgument:
    """Return the error that no candles are stored, with the command that fetches them."""
    return BadArgument(f"no candles are stored of that time; fetch them: {_backfill_command(request)}")


async def _with_others(
    connection: Connection, request: BacktestRequest, compiled: CompiledStrategy, bars: Bars
) -> Bars:
    """Return the bars with the stored candles of other markets that the rules name; raises `BadArgument`."""
    others = dict[SeriesKey, CandleArrays]()
    for key in compiled.sources:
        if key.market is None and key.timeframe is not None and request.timeframe.divides(key.timeframe):
            continue  # made of the bars
        symbol = request.market if key.market is None else MarketSymbol(request.market.venue, key.market)
        timeframe = key.timeframe or request.timeframe
        before = (compiled.sources[key] + 1) * timeframe.duration + compiled.warm_up * request.timeframe.duration
        found = await read_bars(connection, symbol, timeframe, request.start - before, request.end)
        if not len(found):
            missing = replace(request, market=symbol, timeframe=timeframe)
            raise BadArgument(
                f"the rules name {key}, of which no candles are stored; fetch them: {_backfill_command(missing)}"
            )
        others[key] = found.candles
    return replace(bars, candles=replace(bars.candles, others=others)) if others else bars


async def _run(plan: BacktestPlan, stored: StoredCandles, start: int, progress: ProgressReporter) -> BacktestResult:
    """Run in a thread, so that the command can be stopped; then the thread ends at its next progress."""
    bars = stored.bars
    if start >= len(bars):
        raise NoBars
    market, opened = MarketBars(plan.market, bars, stored.detail), int(bars.opened[start])
    is_stopped, done = False, 0
    progress.start("trading", len(bars))

    def on_progress(share: float) -> None:
        nonlocal done
        if is_stopped:
            raise InterruptedError
        reached = int(share * len(bars))
        if reached - done >= len(bars) // 100:
            progress.advance(reached - done)
            done = reached

    try:
        result = await asyncio.to_thread(run_markets, plan, [market], opened, on_progress)
    finally:
        is_stopped = True
    progress.advance(len(bars) - done)
    return result


async def _market(stored: PostgresMarketData, symbol: MarketSymbol) -> Market:
    markets = {str(market.symbol): market for market in await stored.markets()}
    found = markets.get(str(symbol))
    if found is None:
        unknown = unknown_name("stored market", str(symbol), markets)
        if markets:
            raise unknown
        raise BadArgument(f"{unknown}: a venue's markets are stored once r3edge serve or r3edge backfill has run")
    return found


def trading_costs(request: BacktestRequest, market: Market) -> TradingCosts:
    """Return what trading costs, by the market where the request says nothing."""
    return TradingCosts.of_percents(
        fee_percent(request.taker_fee_percent, market.taker_fee),
        fee_percent(request.maker_fee_percent, market.maker_fee),
        request.slippage_bps,
        request.fee_currency,
    )


def print_missing(request: BacktestRequest, stored: StoredCandles, warm_up: int, progress: ProgressReporter) -> None:
    """Say which candles there are not, and from when on the strategy can signal."""
    bars, gaps = stored.bars, stored.gaps
    start = bars.index_of(request.start)
    if gaps and start < len(bars):
        missing = sum((until - first) // request.timeframe.duration for first, until in gaps)
        first, until = max(gaps, key=lambda gap: gap[1] - gap[0])
        progress.print_line(
            f"{missing:,} candles are missing, the most from {first:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} UTC; "
            f"the others are taken as they are. To fetch them: {_backfill_command(request)}"
        )
    if start < warm_up < len(bars):
        at = from_milliseconds(int(bars.opened[warm_up]))
        progress.print_line(
            f"The first {warm_up:,} candles warm up the strategy, and too few are stored before --from: "
            f"it can signal from {at:%Y-%m-%d %H:%M} UTC on."
        )


def _backfill_command(request: BacktestRequest) -> str:
    return (
        f"r3edge backfill {request.market.venue} {request.market.symbol} "
        f"--timeframe {request.timeframe.venue_name} --from {request.start:%Y-%m-%dT%H:%MZ}"
    )
