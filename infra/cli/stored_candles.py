"""Reads the stored markets and candles of a backtest for `r3edge backtest` and `r3edge optimize`."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime

from domain.backtest.bars import Bars
from domain.backtest.market_bars import MarketCandles
from domain.model.markets import Market, MarketSymbol, Timeframe
from domain.research.candle_coverage import CandleCoverage, NoCandles, require_candles, utc_text
from domain.research.candle_loader import read_candles
from domain.research.candle_needs import CandleNeeds, CandleRequest, needs_of
from domain.strategies.compiled import CompiledStrategy
from infra.cli.arguments import BadArgument, unknown_name
from infra.cli.local_backtest import LocalBacktest
from infra.cli.progress import ProgressReporter
from infra.postgres.archive.archived_candles import ArchivedCandles
from infra.postgres.bulk_candles import acquired_connection
from infra.postgres.candle_series import read_bars
from infra.postgres.connection import Connection
from infra.postgres.repositories.market_data import PostgresMarketData
from infra.runtime.command_resources import open_command_resources
from infra.settings import Settings

PURPOSE = "r3edge backtest"


@dataclass(frozen=True, slots=True)
class StoredCandles:
    """The stored candles of each market of a request, from its warm-up on."""

    needs: CandleNeeds
    markets: tuple[MarketCandles, ...]


@dataclass(frozen=True, slots=True)
class _ConnectionBars:
    """Implements `domain.research.candle_loader.BarSource` on one connection."""

    connection: Connection
    archive: ArchivedCandles

    async def read(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime, end: datetime, on_rows: Callable[[int], None]
    ) -> Bars:
        return await read_bars(self.connection, market, timeframe, start, end, on_rows, self.archive)


async def load_candles(
    settings: Settings, request: LocalBacktest, strategies: Sequence[CompiledStrategy], progress: ProgressReporter
) -> StoredCandles:
    """Return the candles that suffice for all of the strategies, and say which of them are missing.

    Raises `BadArgument` for a market that isn't stored, and with the command that fetches candles of which there are
    none; `StartupError`.
    """
    async with open_command_resources(settings, PURPOSE) as resources, AsyncExitStack() as stack:
        pool = await resources.pool()
        archives = await resources.archives(pool)
        connection = Connection(await stack.enter_async_context(acquired_connection(pool)))
        stored = PostgresMarketData(connection, archives)
        markets = _chosen(await stored.markets(), request)
        period = (request.start, request.end)
        needs = needs_of(markets, request.timeframe, period, strategies, request.settings.detail_timeframe)
        progress.start("reading candles", needs.count)
        coverages = [await _coverage(stored, each) for each in needs.requests]
        try:
            require_candles(needs, coverages)
        except NoCandles as error:
            named = "" if error.key is None else f"the rules name {error.key}; "
            raise BadArgument(
                f"{named}no {error.request.name} are stored of that time; fetch them: {_backfill(error.request)}"
            ) from None
        found = await read_candles(_ConnectionBars(connection, archives.candles), needs, progress.reach)
    for coverage in coverages:
        _print_gaps(coverage.within_period(), progress)
    for market in needs.markets:
        _print_cold(next(one for one in coverages if one.request == needs.own(market)), progress)
    return StoredCandles(needs, found)


async def _coverage(stored: PostgresMarketData, request: CandleRequest) -> CandleCoverage:
    end = max(request.first, request.timeframe.open_time(request.end))
    gaps = await stored.candle_gaps(request.market, request.timeframe, request.first, end)
    return CandleCoverage(request, gaps)


def _chosen(markets: Sequence[Market], request: LocalBacktest) -> tuple[Market, ...]:
    known = {str(market.symbol): market for market in markets}
    missing = next((str(symbol) for symbol in request.markets if str(symbol) not in known), None)
    if missing is not None:
        unknown = unknown_name("stored market", missing, known)
        if known:
            raise unknown
        raise BadArgument(f"{unknown}: a venue's markets are stored once r3edge serve or r3edge backfill has run")
    chosen = tuple(known[str(symbol)] for symbol in request.markets)
    if len({(market.symbol.venue, market.quote) for market in chosen}) > 1:
        raise BadArgument("all markets must be of one venue and have the same quote currency: they share a budget")
    return chosen


def _print_gaps(coverage: CandleCoverage, progress: ProgressReporter) -> None:
    if coverage.gaps:
        first, until = max(coverage.gaps, key=lambda gap: gap[1] - gap[0])
        progress.print_line(
            f"{coverage.missing:,} {coverage.request.name} are missing, the most from {utc_text(first)} to "
            f"{utc_text(until)}; the others are taken as they are. To fetch them: {_backfill(coverage.request)}"
        )


def _print_cold(coverage: CandleCoverage, progress: ProgressReporter) -> None:
    request = coverage.request
    first = coverage.open_time(request.warm_up)
    if coverage.count_before(request.start) < request.warm_up and first is not None:
        progress.print_line(
            f"The first {request.warm_up:,} candles of {request.market} warm up the strategy, and too few are stored "
            f"before --from: it can signal from {utc_text(first)} on."
        )


def _backfill(request: CandleRequest) -> str:
    return (
        f"r3edge backfill {request.market.venue} {request.market.symbol} "
        f"--timeframe {request.timeframe.venue_name} --from {request.start:%Y-%m-%dT%H:%MZ}"
    )
