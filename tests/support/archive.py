"""Candles of past months to archive, and what queries answer about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.core.pagination import TimeKeysetPage
from domain.model.markets import Candle, CandleColumns, MarketSymbol, Timeframe
from domain.model.reports import Span
from domain.model.volume import Bins
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.postgres.archive.archiver import Archiver
from infra.postgres.archive.archives import Archives
from infra.postgres.candle_series import PostgresBars
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import Pool
from tests.support.postgres import patient_database
from tests.support.trading import BTC, ETH

JANUARY = datetime(2024, 1, 1, tzinfo=UTC)
FEBRUARY = datetime(2024, 2, 1, tzinfo=UTC)
MARCH = datetime(2024, 3, 1, tzinfo=UTC)
APRIL = datetime(2024, 4, 1, tzinfo=UTC)
NO_GRACE = timedelta(0)


def candle_at(
    opened: datetime, timeframe: Timeframe = Timeframe.H1, market: MarketSymbol = BTC, **numbers: Decimal
) -> Candle:
    """Return a candle whose numbers follow from its time."""
    hour = int((opened - JANUARY) / timedelta(hours=1))
    price = Decimal(42_000) + Decimal(hour * 7919 % 10_007) / 100
    given = {
        "open": price,
        "high": price + Decimal("12.5"),
        "low": price - Decimal("7.25"),
        "close": price + Decimal(hour % 11) / 4,
        "volume": Decimal(hour * 31 % 977) / 1000,
    } | numbers
    return Candle(market, timeframe, opened, **given, closed=True)


def history(market: MarketSymbol = BTC) -> list[Candle]:
    """Return candles of January to March: hours with a gap in each month, days, and two hours of minutes a month."""
    hours = [JANUARY + hour * timedelta(hours=1) for hour in range(91 * 24)]
    days = [JANUARY + day * timedelta(days=1) for day in range(91)]
    minutes = [month + minute * timedelta(minutes=1) for month in (JANUARY, FEBRUARY, MARCH) for minute in range(120)]
    return [
        *(candle_at(at, Timeframe.H1, market) for at in hours if at.day != 17),
        *(candle_at(at, Timeframe.D1, market) for at in days),
        *(candle_at(at, Timeframe.M1, market) for at in minutes),
    ]


async def store_history(database: PostgresDatabase) -> None:
    """Store the history of two markets."""
    async with database.transaction() as transaction:
        await transaction.market_data.ensure_candle_partitions(JANUARY, MARCH)
        await transaction.market_data.upsert_candles([*history(), *history(ETH)])


@dataclass(frozen=True, slots=True)
class Reader:
    """A database with an archive, as a node has them that has known the archive's manifest for `MANIFEST_SECONDS`."""

    database: PostgresDatabase
    bars: PostgresBars


def reader(pool: Pool, storage: Any) -> Reader:
    """Return a reader that reads the manifest each time."""
    archives = Archives.of(storage, monotonic=_Hours())
    return Reader(
        patient_database(pool, EmbeddedBus(), SystemClock(), archives=archives), PostgresBars(pool, archives.candles)
    )


def archiver(pool: Pool, storage: Any, **options: Any) -> Archiver:
    """Return an archiver that drops rows as soon as their files are listed."""
    return Archiver(pool, storage, **({"grace": NO_GRACE} | options))


class _Hours:
    """A clock of which each reading is an hour later."""

    def __init__(self) -> None:
        self._now = 0.0

    def __call__(self) -> float:
        self._now += 3_600
        return self._now


async def answers(reader: Reader) -> dict[str, Any]:
    """Return what each query of candles answers that reaches over the months."""
    start, end = JANUARY - timedelta(days=3), APRIL + timedelta(days=3)
    found: dict[str, Any] = {}
    async with reader.database.read_only() as reading:
        market_data, prices, volumes = reading.market_data, reading.prices, reading.market_history
        for timeframe in (Timeframe.H1, Timeframe.D1, Timeframe.M1):
            for market in (BTC, ETH):
                name = f"{market} {timeframe.value}"
                found[f"pages {name}"] = await all_pages(reading, market, timeframe, 333)
                found[f"pages back {name}"] = await all_pages(reading, market, timeframe, 333, backwards=True)
                found[f"gaps {name}"] = await market_data.candle_gaps(market, timeframe, start, end)
                bars = await reader.bars.read(market, timeframe, start, end, lambda _rows: None)
                series = (
                    bars.candles.open,
                    bars.candles.high,
                    bars.candles.low,
                    bars.candles.close,
                    bars.candles.volume,
                )
                found[f"bars {name}"] = [bars.opened.tolist(), *(each.tolist() for each in series)]
        found["priced"] = [await prices.priced_markets([BTC, ETH], at) for at in (JANUARY, FEBRUARY)]
        found["closes"] = await prices.closes(BTC, [Timeframe.H1, Timeframe.D1], JANUARY, APRIL)
        moments = [(market, start + day * timedelta(hours=97)) for market in (BTC, ETH) for day in range(24)]
        found["last closes"] = sorted(await prices.last_closes(moments), key=repr)
        found["recent closes"] = sorted(await prices.last_closes(moments, timedelta(minutes=90)), key=repr)
        ranges = await prices.ranges(BTC, Timeframe.H1, JANUARY, APRIL)
        found["ranges"] = [each.tolist() for each in (ranges.opened, ranges.closed, ranges.high, ranges.low)]
        spans = [
            Span(BTC, JANUARY + timedelta(days=day), JANUARY + timedelta(days=day + 9)) for day in range(0, 90, 11)
        ]
        found["extremes"] = await prices.extremes([*spans, Span(BTC, MARCH, MARCH + timedelta(seconds=90))])
        found["minutes"] = await volumes.minutes(BTC, JANUARY, APRIL)
        found["candle range"] = await volumes.candle_range(BTC, JANUARY, APRIL)
        bins = Bins(Decimal(41_000), Decimal(50), 60)
        found["volumes"] = sorted(await volumes.candle_volumes(BTC, JANUARY, APRIL, bins), key=repr)
    return found


def as_columns(candles: Sequence[Candle]) -> CandleColumns:
    """Return candles as columns."""
    return CandleColumns.of(
        [(candle.open_time, candle.open, candle.high, candle.low, candle.close, candle.volume) for candle in candles]
    )


async def all_pages(
    reading: Any, market: MarketSymbol, timeframe: Timeframe, limit: int, *, backwards: bool = False
) -> list[Candle]:
    """Return all candles, page after page by the cursor of the last."""
    found: list[Candle] = []
    cursor: datetime | None = None
    while True:
        key = "before" if backwards else "after"
        page = TimeKeysetPage(limit, backwards=backwards, **({} if cursor is None else {key: cursor}))
        rows = await reading.market_data.candles(market, timeframe, page)
        assert await reading.market_data.candle_columns(market, timeframe, page) == as_columns(rows)
        found = [*rows, *found] if backwards else [*found, *rows]
        if len(rows) < limit:
            return found
        cursor = rows[0].open_time if backwards else rows[-1].open_time
