"""A backtest of a year of minute candles: of stored ones, then of the same ones in the archive.

It reads the candles as a job does, and computes all figures. The archive's reader knows nothing the first time, and
keeps what it likes for the others.
"""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import uvloop

from bench.figures import Figure, percentile, report, spread
from bench.history import MINUTE, add_candles, add_markets, database, running_database
from bench.parts import scratch
from bench.peers.engine_run import DEFINITION, a_market, a_plan
from bench.peers.series import START as WARM_UP
from domain.backtest.engine import run_backtest
from domain.model.markets import Timeframe
from infra.archive_storage.folder import FolderStorage
from infra.postgres.archive.archiver import Archiver
from infra.postgres.archive.archives import Archives
from infra.postgres.candle_series import PostgresBars
from infra.postgres.pool import Pool, create_pool

START, END = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
RUNS = 7
TARGET_RATIO = 1.3

Runs = tuple[list[float], str]
"""How many seconds each run took, and what all of them came to."""


async def measure(runs: int) -> None:
    rows = (END - START) // MINUTE
    async with scratch() as folder, database(folder) as connection:
        await add_markets(connection, [a_market().symbol])
        await add_candles(connection, a_market().symbol, START, rows, 1)
        await connection.execute("VACUUM (ANALYZE) candles")
        pool = await create_pool(await running_database(folder), command_timeout_seconds=600)
        storage = FolderStorage(folder / "archive")
        known = Archives.of(storage)
        await _backtests(pool, lambda: known, 1)  # what is compiled once
        stored = await _backtests(pool, lambda: known, runs)
        await Archiver(pool, storage, grace=timedelta(0)).run(END)
        assert await connection.fetchval("SELECT count(*) FROM candles") == 0
        cold = await _backtests(pool, lambda: Archives.of(storage), runs)
        known = Archives.of(storage)
        await _backtests(pool, lambda: known, 1)
        archived = await _backtests(pool, lambda: known, runs)
        await pool.close()
    assert stored[1] == cold[1] == archived[1]
    _report({"stored": stored[0], "archived, by a reader that knows nothing yet": cold[0], "archived": archived[0]})


async def _backtests(pool: Pool, archive: Callable[[], Archives], runs: int) -> Runs:
    times, ends = [], set()
    for _ in range(runs):
        bars = PostgresBars(pool, archive().candles)
        began = time.perf_counter()
        read = await bars.read(a_market().symbol, Timeframe.M1, START, END, lambda _rows: None)
        result = run_backtest(a_plan(DEFINITION, a_market()), read, WARM_UP)
        times.append(time.perf_counter() - began)
        ends.add(str(result.metrics.end_equity))
    (end,) = ends
    return times, end


def _report(runs: dict[str, list[float]]) -> None:
    table = [[name, len(times), *spread(times).values()] for name, times in runs.items()]
    stored, *archived = (percentile(times, 50) for times in runs.values())
    ratios = [each / stored for each in archived]
    report(
        "archived_backtest",
        ["candles", "runs", "p50 ms", "p99 ms", "max ms"],
        table,
        [
            Figure(
                "a backtest of a year of minute candles, archived against stored",
                f"{ratios[1]:.2f} times as long ({stored:.2f} s stored), {ratios[0]:.2f} times for a reader that "
                "knows nothing yet",
                f"≤ {TARGET_RATIO:g} times",
                max(ratios) <= TARGET_RATIO,
            )
        ],
    )


if __name__ == "__main__":
    uvloop.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else RUNS))
