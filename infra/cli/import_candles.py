"""`r3edge import candles`: stores candles out of files, beside a running engine or alone."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from domain.model.markets import MarketSymbol, Timeframe
from infra.candle_files.arguments import unknown
from infra.candle_files.columns import ColumnChoice, Traded
from infra.candle_files.errors import MalformedRows, UnusableFileError
from infra.candle_files.formats import FileFormat, FileOptions
from infra.candle_files.importer import Loaded, Progress, load_file
from infra.candle_files.inspection import Reading
from infra.cli.progress import Telling, rate
from infra.postgres.bulk_candles import BulkCandleWriter, OnConflict, connected
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool
from infra.postgres.repositories.market_data import PostgresMarketData
from infra.runtime.command_resources import open_command_resources
from infra.settings import Settings

PURPOSE = "r3edge import"


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """What is wanted: these files as candles of `market`; `timeframe` None is told by the files' times."""

    files: Sequence[Path]
    market: MarketSymbol
    timeframe: Timeframe | None
    format: FileFormat
    zone: ZoneInfo
    on_conflict: OnConflict
    fill_gaps: bool
    columns: ColumnChoice = field(default_factory=ColumnChoice)


async def import_candles(settings: Settings, request: ImportRequest, told: Telling) -> list[Path]:
    """Store each file in a transaction of its own; return those that could not be, the reasons told.

    Raises `BadArgument` for a market that the venue hasn't, and `Unavailable`.
    """
    failed: list[Path] = []
    async with open_command_resources(settings, PURPOSE) as beside:
        pool = await beside.pool()
        await _check_market(pool, request.market)
        for path in request.files:
            try:
                await _import_file(pool, path, request, told)
            except (UnusableFileError, MalformedRows) as error:
                told.line(str(error))
                failed.append(path)
    return failed


async def _check_market(pool: Pool, market: MarketSymbol) -> None:
    """Hold that the market is known, where its venue's markets are: a typing error would lose the file for good."""
    async with connected(pool) as driver:
        stored = await PostgresMarketData(Connection(driver)).markets()
    known = [str(each.symbol) for each in stored if each.symbol.venue == market.venue]
    if known and str(market) not in known:
        raise unknown("market", str(market), known)


async def _import_file(pool: Pool, path: Path, request: ImportRequest, told: Telling) -> None:
    base, _, quote = request.market.symbol.partition("/")
    options = FileOptions(request.format, request.zone, request.columns, Traded(base, quote))
    reading = Reading(path, options, request.timeframe, datetime.now(UTC))
    progress = Progress(told.advance, lambda rows: told.begin(f"{path.name}: storing", rows), told.advance)
    told.begin(f"{path.name}: checking", None)
    async with connected(pool) as driver:
        loaded = await load_file(
            reading,
            request.market,
            lambda found: BulkCandleWriter(driver, request.market, found.timeframe),
            request.on_conflict,
            progress,
            fill=request.fill_gaps,
        )
    for line in summary(path, request.market, loaded):
        told.line(line)


def summary(path: Path, market: MarketSymbol, loaded: Loaded) -> list[str]:
    """Return what came of a file, as people read it."""
    found, written = loaded.survey, loaded.written
    first, last = (f"{at:%Y-%m-%d %H:%M}" for at in (found.first, found.last))
    kept = f", {written.kept:,} kept as they were stored" if written.kept else ""
    lines = [
        (
            f"{path.name}: {found.rows:,} rows ({found.format}) to {market} {found.timeframe.venue_name}, "
            f"{first} to {last} UTC"
        ),
        (
            f"  {written.new:,} new, {written.replaced:,} replaced, {written.unchanged:,} unchanged{kept}; "
            f"{loaded.seconds:.1f} s, {rate(found.rows, loaded.seconds)}"
        ),
    ]
    if found.blank:
        lines.append(f"  {found.blank:,} rows without prices left out")
    if found.forming:
        lines.append(f"  {found.forming:,} left out, for it has not closed yet")
    if found.missing:
        lines.append(f"  between the first and the last {found.missing:,} are not in the file{_filled(loaded)}")
    return lines


def _filled(loaded: Loaded) -> str:
    if not loaded.filled:
        return ""
    return f"; {loaded.filled:,} of them weren't stored either and are candles without volume now"
