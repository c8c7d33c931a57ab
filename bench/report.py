"""How long a report of many fills and two years of hourly prices takes, what memory, and how large its page is.

usage: uv run python -m bench.report [FILLS]
"""

import asyncio
import resource
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from bench.figures import Figure, report
from bench.parts import scratch
from domain.jobs.runner import JobRunner
from domain.model.jobs import JobStatus
from domain.model.orders import OrderRole, OrderStatus
from domain.model.reports import ReportFormat, ReportScope
from domain.reports.file_maker import ReportFileMaker
from domain.reports.handler import ReportHandler
from domain.reports.request import ReportRequest
from domain.reports.service import ReportService
from infra.clock import SystemClock, TimeOrderedIds
from infra.embedded.bus import EmbeddedBus
from infra.postgres.connection import Connection
from infra.postgres.database import PostgresDatabase
from infra.postgres.migrate import migrate
from infra.postgres.partitions import ensure_months
from infra.postgres.pool import Pool, create_pool
from infra.postgres.repositories.market_data import PostgresMarketData
from infra.postgres.repositories.orders import PostgresOrders
from infra.postgres.server.embedded import EmbeddedPostgres
from infra.report_files.writer import ReportFileWriter
from tests.support.orders import BTC, a_market
from tests.support.trading import World, stored_world

FILLS: Final = 100_000
DAYS: Final = 730
MOST_SECONDS: Final = 3.0
MOST_BYTES: Final = 2_000_000
START: Final = datetime(2024, 11, 1, tzinfo=UTC)
END: Final = START + timedelta(days=DAYS)

# Copies of one order and of one fill: bought and sold in turn, at a price that swings.
COPY_ORDERS: Final = """
INSERT INTO orders SELECT made.* FROM orders o CROSS JOIN generate_series(1, $2::int) n
CROSS JOIN LATERAL jsonb_populate_record(o, jsonb_build_object(
    'id', ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'client_order_id', 'c' || n,
    'side', CASE WHEN n % 2 = 1 THEN 'BUY' ELSE 'SELL' END, 'role', CASE WHEN n % 2 = 1 THEN 'ENTRY' ELSE 'EXIT' END
)) made WHERE o.id = $1"""
COPY_FILLS: Final = """
INSERT INTO fills SELECT made.* FROM fills f CROSS JOIN generate_series(1, $2::int) n
CROSS JOIN LATERAL jsonb_populate_record(f, jsonb_build_object(
    'id', ('00000000-0000-4000-9000-' || lpad(to_hex(n), 12, '0'))::uuid, 'venue_trade_id', 't' || n,
    'order_id', ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid,
    'side', CASE WHEN n % 2 = 1 THEN 'BUY' ELSE 'SELL' END,
    'at', $3::timestamptz + ($4::interval * n / ($2 + 1)),
    'price', round((60000 + 9000 * sin(n / 900.0) + 400 * sin(n * 1.7))::numeric, 2)
)) made WHERE f.id = $1"""
CANDLES: Final = """
INSERT INTO candles (market, timeframe, open_time, open, high, low, close, volume)
SELECT $1, 'H1', $2::timestamptz + n * interval '1 hour', p, p * 1.01, p * 0.99, p, 1
FROM generate_series(0, $3::int) n, LATERAL (SELECT round((60000 + 9000 * sin(n / 160.0))::numeric, 2) AS p) q"""


async def main(count: int) -> None:
    """Store fills, have them reported on, and print what it took."""
    async with scratch() as folder:
        server = EmbeddedPostgres(folder / "postgres")
        await server.start()
        try:
            await migrate(server.dsn)
            async with await create_pool(server.dsn, command_timeout_seconds=600) as pool, pool.acquire() as driver:
                world = await stored_world(Connection(driver))
                await _store(driver, world, count)
            async with await create_pool(server.dsn) as pool:
                await _measure(pool, world, count)
        finally:
            await server.stop()


async def _store(driver: object, world: World, count: int) -> None:
    connection = Connection(driver)  # type: ignore[arg-type]
    await PostgresMarketData(connection).save_markets([a_market()])
    await ensure_months(connection, "candles", START, END)
    await connection.execute(CANDLES, str(BTC), START, DAYS * 24)
    orders = PostgresOrders(connection)
    order = world.order(
        role=OrderRole.ENTRY,
        status=OrderStatus.FILLED,
        created_at=START - timedelta(days=1),
        arrival_price=Decimal(60_000),
    )
    await orders.add(order)
    fill = world.fill(
        order, at=START - timedelta(days=1), price=Decimal(60_000), quantity=Decimal("0.01"), fee=Decimal("0.6"),
        fee_currency="USDT",
    )  # fmt: skip
    assert await orders.add_fill(fill)
    await connection.execute("UPDATE accounts SET created_at = $1 WHERE id = $2", START, world.account.id)
    await connection.execute(COPY_ORDERS, order.id, count)
    await connection.execute(COPY_FILLS, fill.id, count, START, END - START)
    await connection.execute("DELETE FROM fills WHERE id = $1", fill.id)
    await connection.execute("DELETE FROM orders WHERE id = $1", order.id)
    await connection.execute("ANALYZE")


async def _measure(pool: Pool, world: World, count: int) -> None:
    bus, clock, ids = EmbeddedBus(), SystemClock(), TimeOrderedIds()
    stored = PostgresDatabase(pool, bus, clock)
    service = ReportService(stored, lambda _market: a_market(), bus, clock, ids)
    handler = ReportHandler(stored, clock, lambda: {BTC: a_market()}, ReportFileMaker(stored, ReportFileWriter(), ids))
    runner = JobRunner(stored, bus, clock, "bench", [handler])
    made = await service.generate(world.user.id, ReportRequest(ReportScope.ACCOUNT, world.account.id, START, END), None)
    before, started, cpu = _peak(), time.perf_counter(), time.process_time()
    assert await runner.work_once()
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    async with stored.read_only() as reading:
        job = await reading.jobs.get(world.user.id, made.job_id)
        assert job is not None
        assert job.status is JobStatus.SUCCEEDED, job.message
        sizes = {file.format: file.size_bytes for file in await reading.report_files.of_reports([made.id])}
    grown = _peak() - before
    rows = [(f"{count:,}", round(seconds, 2), round(cpu, 2), round(grown), *(sizes[each] for each in ReportFormat))]
    page = sizes[ReportFormat.HTML]
    name = f"report over {count:,} fills and two years of hourly prices, with page, CSV and Parquet of all fills"
    measured = f"{seconds:.1f} s ({cpu:.1f} s of processor time), {grown:.0f} MB more memory, page {page / 1e6:.2f} MB"
    holds = seconds <= MOST_SECONDS and page <= MOST_BYTES if count == FILLS else None
    columns = ("fills", "seconds", "processor_seconds", "more_megabytes", "html_bytes", "csv_bytes", "parquet_bytes")
    report("report", columns, rows, [Figure(name, measured, "≤ 3 s, page ≤ 2 MB" if count == FILLS else None, holds)])


def _peak() -> float:
    """Return the greatest memory that the process has had, in megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else FILLS))
