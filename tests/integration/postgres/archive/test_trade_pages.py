"""Pages of trades are the same wherever each trade is: stored, in files of one batch or another, or in several."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.core.pagination import TimeKeysetPage
from domain.model.archive import ArchivedFile
from domain.model.markets import Trade
from infra.archive_storage.folder import FolderStorage
from infra.postgres.archive.archives import Archives
from infra.postgres.archive.manifest import Manifest
from infra.postgres.archive.table_file import period_of, sums_of, table_file
from infra.postgres.archive.tables import TRADES
from infra.postgres.connection import Connection
from infra.postgres.pool import Pool
from infra.postgres.repositories.market_data import PostgresMarketData
from tests.support.archive import JANUARY
from tests.support.archived_market_data import trade_at, trade_pages
from tests.support.trading import BTC

ids = st.sampled_from(["1", "9", "10", "11", "a", "b2"])
places = st.sets(st.sampled_from(["stored", "first", "second"]), min_size=1)
moments = st.none() | st.integers(-1, 7)


@dataclass(frozen=True)
class Reading:
    """What `trade_pages` reads of."""

    market_data: PostgresMarketData


class InMemory(FolderStorage):
    """Keeps files in memory: an example takes some milliseconds."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"))
        self._contents: dict[str, bytes] = {}

    async def write(self, name: str, content: bytes) -> None:
        self._contents[name] = content

    async def read(self, name: str) -> bytes:
        return self._contents[name]


@pytest.fixture
async def months(pool: Pool) -> Pool:
    async with pool.acquire() as driver:
        await PostgresMarketData(Connection(driver)).ensure_trade_partitions(JANUARY, JANUARY)
    return pool


@given(
    placed=st.dictionaries(st.tuples(st.integers(0, 6), ids), places, max_size=24),
    cuts=st.lists(st.integers(0, 24), max_size=3),
    limit=st.integers(1, 6),
    start=moments,
    end=moments,
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_pages_are_those_of_all_trades_wherever_each_of_them_is(
    months: Pool,
    placed: dict[tuple[int, str], set[str]],
    cuts: list[int],
    limit: int,
    start: int | None,
    end: int | None,
) -> None:
    trades = {trade_at(JANUARY + timedelta(seconds=at), id_): where for (at, id_), where in placed.items()}
    ordered = sorted(trades, key=lambda trade: (trade.at, len(trade.venue_trade_id), trade.venue_trade_id))
    storage = InMemory()
    async with months.acquire() as driver:
        example = driver.transaction()
        await example.start()
        connection = Connection(driver)
        await PostgresMarketData(connection).save_trades([each for each in ordered if "stored" in trades[each]])
        for batch in ("first", "second"):
            await _archive(connection, storage, [each for each in ordered if batch in trades[each]], cuts)
        market_data = PostgresMarketData(connection, Archives.of(storage))
        first, last = _moment(start), _moment(end)
        expected = [each for each in ordered if (not first or each.at >= first) and (not last or each.at < last)]
        for backwards in (False, True):
            found = await trade_pages(Reading(market_data), BTC, limit, backwards=backwards, start=first, end=last)
            assert found == expected
        if ordered:
            await _check_between(market_data, ordered, limit)
        await example.rollback()


async def _check_between(market_data: PostgresMarketData, ordered: Sequence[Trade], limit: int) -> None:
    """Ask for pages between two cursors, both of which are trades."""
    low, high = ordered[len(ordered) // 4], ordered[-1 - len(ordered) // 5]
    between = ordered[len(ordered) // 4 + 1 : -1 - len(ordered) // 5]
    for backwards in (False, True):
        page = TimeKeysetPage(
            limit, after=low.at, after_id=low.venue_trade_id, before=high.at, before_id=high.venue_trade_id,
            backwards=backwards,
        )  # fmt: skip
        assert await market_data.trades(BTC, page) == (between[-limit:] if backwards else between[:limit])


async def _archive(
    connection: Connection, storage: FolderStorage, trades: Sequence[Trade], cuts: Sequence[int]
) -> None:
    """List trades as a batch whose rows were dropped, in several files."""
    manifest = Manifest(connection, TRADES.name)
    batch_id, folder = await manifest.begin(JANUARY)
    files = []
    edges = sorted({0, *(min(cut, len(trades)) for cut in cuts), len(trades)})
    for number, (begin, end) in enumerate(pairwise(edges)):
        rows = _rows(trades[begin:end])
        made = table_file(TRADES, rows)
        name = f"{folder}/{number}.parquet"
        await storage.write(name, made.content)
        period = period_of(TRADES, rows)
        sums = sums_of(TRADES, rows)
        files.append(ArchivedFile(str(BTC), name, made.rows, len(made.content), made.sha256, *period, sums))
    await manifest.verify(batch_id, files, Decimal())
    await manifest.drop(batch_id, JANUARY)


def _rows(trades: Sequence[Trade]) -> pa.Table:
    decimal = pa.decimal128(18, 5)
    return pa.table(
        {
            "market": [str(trade.market) for trade in trades],
            "at": pa.array([trade.at for trade in trades], pa.timestamp("us", "UTC")),
            "venue_trade_id": [trade.venue_trade_id for trade in trades],
            "price": pa.array([trade.price for trade in trades], decimal),
            "quantity": pa.array([trade.quantity for trade in trades], decimal),
            "side": [trade.side.value for trade in trades],
        }
    )


def _moment(second: int | None) -> datetime | None:
    return None if second is None else JANUARY + timedelta(seconds=second)
