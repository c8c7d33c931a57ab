"""Reads the stored markets and candles of a backtest for `r3edge backtest` and `r3edge optimize`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.backtest.bars import Bars
from domain.backtest.market_bars import MarketCandles
from domain.core.clock import from_milliseconds
from domain.model.markets import Market, MarketSymbol, Timeframe
from domain.research.candle_loader import NoCandles, read_candles
from domain.research.candle_needs import CandleNeeds, CandleRequest, other_candles
from domain.strategies.compiled import CompiledStrategy
from infra.cli.arguments import BadArgument, unknown_name
from infra.cli.backtest_request import BacktestRequest
from infra.cli.progress import ProgressReporter
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

    async def read(
        self, market: MarketSymbol, timeframe: Timeframe, start: datetime, end: datetime, on_rows: Callable[[int], None]
    ) -> Bars:
        return await read_bars(self.connection, market, timeframe, start, end, on_rows)


async def load_candles(
    settings: Settings, request: BacktestRequest, strategies: Sequence[CompiledStrategy], progress: ProgressReporter
) -> StoredCandles:
    """Return the candles that suffice for all of the strategies, and say which of them are missing.

    Raises `BadArgument` for a market that isn't stored, and with the command that fetches candles of which there are
    none; `StartupError`.
    """
    async with (
        open_command_resources(settings, PURPOSE) as resources,
        acquired_connection(await resources.pool()) as driver,
    ):
        connection = Connection(driver)
        stored = PostgresMarketData(connection)
        markets = _chosen(await stored.markets(), request)
        needs = CandleNeeds(
            markets,
            request.timeframe,
            request.start,
            request.end,
            max(compiled.warm_up for compiled in strategies),
            other_candles(strategies, request.timeframe),
            request.settings.detail_timeframe,
        )
        progress.start("reading candles", needs.count)
        try:
            found = await read_candles(_ConnectionBars(connection), needs, progress.reach)
        except NoCandles as error:
            named = "" if error.key is None else f"the rules name {error.key}; "
            raise BadArgument(
                f"{named}no {error.request.name} are stored of that time; fetch them: {_backfill(error.request)}"
            ) from None
        for each in needs.requests:
            start = each.timeframe.next_open_time(each.start)
            gaps = await stored.candle_gaps(
                each.market, each.timeframe, start, max(start, each.timeframe.open_time(each.end))
            )
            _print_gaps(each, gaps, progress)
    for candles in found:
        _print_cold(needs.own(candles.market), candles.bars, progress)
    return StoredCandles(needs, found)


def _chosen(markets: Sequence[Market], request: BacktestRequest) -> tuple[Market, ...]:
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


def _print_gaps(request: CandleRequest, gaps: Sequence[tuple[datetime, datetime]], progress: ProgressReporter) -> None:
    if gaps:
        missing = sum((until - first) // request.timeframe.duration for first, until in gaps)
        first, until = max(gaps, key=lambda gap: gap[1] - gap[0])
        progress.print_line(
            f"{missing:,} {request.name} are missing, the most from {first:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} "
            f"UTC; the others are taken as they are. To fetch them: {_backfill(request)}"
        )


def _print_cold(request: CandleRequest, bars: Bars, progress: ProgressReporter) -> None:
    if bars.index_of(request.start) < request.warm_up < len(bars):
        at = from_milliseconds(int(bars.opened[request.warm_up]))
        progress.print_line(
            f"The first {request.warm_up:,} candles of {request.market} warm up the strategy, and too few are stored "
            f"before --from: it can signal from {at:%Y-%m-%d %H:%M} UTC on."
        )


def _backfill(request: CandleRequest) -> str:
    return (
        f"r3edge backfill {request.market.venue} {request.market.symbol} "
        f"--timeframe {request.timeframe.venue_name} --from {request.start:%Y-%m-%dT%H:%MZ}"
    )
