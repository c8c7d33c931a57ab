"""Imports files of candles for `r3edge import candles`, with or without a running engine."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from domain.model.markets import MarketSymbol, Timeframe
from infra.candle_files.columns import ColumnChoice, TradedPair
from infra.candle_files.errors import MalformedRows, UnusableFileError
from infra.candle_files.formats import FileFormat, FileOptions
from infra.candle_files.importer import ImportProgress, ImportResult, load_file
from infra.candle_files.inspection import ReadOptions
from infra.cli.arguments import unknown_name
from infra.cli.progress import ProgressReporter, rate
from infra.postgres.archive.archived_candles import ArchivedCandles
from infra.postgres.bulk_candles import BulkCandleWriter, OnConflict, acquired_connection
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool
from infra.postgres.repositories.market_data import PostgresMarketData
from infra.runtime.command_resources import open_command_resources
from infra.settings import Settings

PURPOSE = "r3edge import"


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """Files to import as candles of `market`; without a `timeframe` it is detected by the files' times."""

    files: Sequence[Path]
    market: MarketSymbol
    timeframe: Timeframe | None
    format: FileFormat
    zone: ZoneInfo
    on_conflict: OnConflict
    fill_gaps: bool
    columns: ColumnChoice = field(default_factory=ColumnChoice)


async def import_candles(settings: Settings, request: ImportRequest, progress: ProgressReporter) -> list[Path]:
    """Store each file in a transaction of its own; print why a file failed, and return the failed ones.

    Raises `BadArgument` for a market that the venue doesn't have, and `Unavailable`.
    """
    failed: list[Path] = []
    async with open_command_resources(settings, PURPOSE) as resources:
        pool = await resources.pool()
        archive = (await resources.archives(pool)).candles
        await _check_market(pool, request.market)
        for path in request.files:
            try:
                await _import_file(pool, archive, path, request, progress)
            except (UnusableFileError, MalformedRows) as error:
                progress.print_line(str(error))
                failed.append(path)
    return failed


async def _check_market(pool: Pool, market: MarketSymbol) -> None:
    """Raise `BadArgument` if the venue's markets are stored and this one isn't: a typing error would lose the file."""
    async with acquired_connection(pool) as driver:
        stored = await PostgresMarketData(Connection(driver)).markets()
    known = [str(candidate.symbol) for candidate in stored if candidate.symbol.venue == market.venue]
    if known and str(market) not in known:
        raise unknown_name("market", str(market), known)


async def _import_file(
    pool: Pool, archive: ArchivedCandles, path: Path, request: ImportRequest, progress: ProgressReporter
) -> None:
    base, _, quote = request.market.symbol.partition("/")
    options = FileOptions(request.format, request.zone, request.columns, TradedPair(base, quote))
    read_options = ReadOptions(path, options, request.timeframe, datetime.now(UTC))
    callbacks = ImportProgress(
        progress.advance, lambda rows: progress.start(f"{path.name}: storing", rows), progress.advance
    )
    progress.start(f"{path.name}: checking", None)
    async with acquired_connection(pool) as driver:
        result = await load_file(
            read_options,
            request.market,
            lambda summary: BulkCandleWriter(driver, request.market, summary.timeframe, archive),
            request.on_conflict,
            callbacks,
            fill_gaps=request.fill_gaps,
        )
    for line in summary_lines(path, request.market, result):
        progress.print_line(line)


def summary_lines(path: Path, market: MarketSymbol, result: ImportResult) -> list[str]:
    """Return the lines to print after an import."""
    summary, written = result.summary, result.written
    first, last = (f"{at:%Y-%m-%d %H:%M}" for at in (summary.first, summary.last))
    kept = f", {written.kept:,} kept as they were stored" if written.kept else ""
    lines = [
        (
            f"{path.name}: {summary.rows:,} rows ({summary.format}) to {market} {summary.timeframe.venue_name}, "
            f"{first} to {last} UTC"
        ),
        (
            f"  {written.new:,} new, {written.replaced:,} replaced, {written.unchanged:,} unchanged{kept}; "
            f"{result.seconds:.1f} s, {rate(summary.rows, result.seconds)}"
        ),
    ]
    if summary.blank:
        lines.append(f"  {summary.blank:,} rows without prices left out")
    if summary.forming:
        lines.append(f"  {summary.forming:,} left out, for it has not closed yet")
    if summary.missing:
        lines.append(f"  between the first and the last {summary.missing:,} are not in the file{_filled_text(result)}")
    return lines


def _filled_text(result: ImportResult) -> str:
    if not result.filled:
        return ""
    return f"; {result.filled:,} of them weren't stored either and are candles without volume now"
