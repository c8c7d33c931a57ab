"""`r3edge backfill` from a real sandbox exchange into a real database."""

import asyncio
import re
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from domain.model.markets import MarketSymbol, Timeframe
from infra.postgres.bulk_candles import BulkCandleWriter
from infra.postgres.connection import DriverConnection
from infra.postgres.pool import Pool
from tests.support.engine import PROGRAM, ROOT, engine_environment
from tests.support.postgres import IDLE_AS_LONG_AS_IT_TAKES, somebody_waits_for_a_lock
from tests.support.sandbox import SandboxProcess, running_sandbox

BTC = MarketSymbol("sandbox", "BTC/USDT")
MINUTE = timedelta(minutes=1)
START = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.fixture
async def sandbox(tmp_path: Path) -> AsyncIterator[SandboxProcess]:
    async with running_sandbox(tmp_path / "sandbox", seed=7, unlimited=False) as process:
        yield process


class Command:
    """The program with its database and its sandbox."""

    def __init__(self, database_dsn: str, sandbox: SandboxProcess) -> None:
        self._environment = engine_environment(
            R3EDGE_DATABASE_URL=database_dsn, R3EDGE_SANDBOX_URL=sandbox.url, R3EDGE_SANDBOX_TOKEN=sandbox.admin_token
        )

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            PROGRAM, "backfill", "sandbox", "BTC/USDT", *arguments, env=self._environment, cwd=ROOT,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip

    async def run(self, *arguments: str) -> tuple[int, str]:
        process = await self.start(*arguments)
        printed, _ = await process.communicate()
        assert process.returncode is not None
        return process.returncode, printed.decode()


@pytest.fixture
def command(database_dsn: str, sandbox: SandboxProcess) -> Command:
    return Command(database_dsn, sandbox)


async def test_a_back_fill_that_is_killed_goes_on_where_it_was(
    command: Command, driver: DriverConnection, pool: Pool
) -> None:
    arguments = ("--timeframe", "1m", "--from", "2026-01-31", "--to", "2026-02-03")
    await BulkCandleWriter(driver, BTC, Timeframe.M1).ensure_months(START, START)
    async with pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(IDLE_AS_LONG_AS_IT_TAKES)
        await other.execute(
            "INSERT INTO candles VALUES ($1, 'M1', $2, 1, 1, 1, 1, 1)", str(BTC), START + 1_100 * MINUTE
        )
        process = await command.start(*arguments)
        await somebody_waits_for_a_lock(pool)
        process.kill()
        await process.communicate()
        await transaction.rollback()
    assert await driver.fetchval("SELECT count(*) FROM candles") == 1_000

    code, printed = await command.run(*arguments)
    assert (code, "3,320 of 3,320 missing candles stored" in printed) == (0, True)
    assert await driver.fetchval("SELECT count(*) FROM candles") == 4_320


async def test_ctrl_c_ends_it_with_what_was_done(command: Command, driver: DriverConnection, pool: Pool) -> None:
    await BulkCandleWriter(driver, BTC, Timeframe.M1).ensure_months(START, START)
    async with pool.acquire() as other:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(IDLE_AS_LONG_AS_IT_TAKES)
        await other.execute(
            "INSERT INTO candles VALUES ($1, 'M1', $2, 1, 1, 1, 1, 1)", str(BTC), START + 1_100 * MINUTE
        )
        process = await command.start("--timeframe", "1m", "--from", "2026-01-31", "--to", "2026-02-03")
        await somebody_waits_for_a_lock(pool)
        process.send_signal(signal.SIGINT)
        printed, _ = await process.communicate()
        await transaction.rollback()
    assert process.returncode == 130
    # A slow machine has progress to report first.
    (line,) = [line for line in printed.decode().splitlines() if not re.search(r"rows, .* rows/s, .* s left$", line)]
    assert line.startswith("stopped; 1,000 candles stored")


async def test_only_gaps_are_requested_and_each_candle_is_the_venues(
    command: Command, driver: DriverConnection, sandbox: SandboxProcess
) -> None:
    arguments = ("--timeframe", "1m,1h", "--from", "2026-01-31", "--to", "2026-02-03")
    code, printed = await command.run(*arguments)
    assert (code, "4,320 of 4,320 missing" in printed, "72 of 72 missing" in printed) == (0, True, True)
    whole = await driver.fetch("SELECT * FROM candles ORDER BY timeframe, open_time")
    rows = await sandbox.get("/api/v3/klines?symbol=BTCUSDT&interval=1m&startTime=1769904000000&limit=1000")
    mine = [row for row in whole if row["timeframe"] == "M1" and row["open_time"].timestamp() * 1000 >= rows[0][0]]
    assert [[f"{row['open']:.8f}", f"{row['volume']:.8f}"] for row in mine[:1000]] == [[row[1], row[5]] for row in rows]

    assert (await command.run(*arguments))[1].count("nothing is missing") == 2
    await driver.execute(
        "DELETE FROM candles WHERE open_time BETWEEN $1 AND $2", START + 70 * MINUTE, START + 90 * MINUTE
    )
    await driver.execute("DELETE FROM candles WHERE timeframe = 'M1' AND open_time > $1", START + 4_000 * MINUTE)
    code, printed = await command.run(*arguments)
    assert re.findall("(.*) missing candles stored", printed) == ["sandbox:BTC/USDT 1m: 340 of 340"]
    assert await driver.fetch("SELECT * FROM candles ORDER BY timeframe, open_time") == whole


async def test_from_the_beginning_of_time_is_from_the_markets_first_candle(
    command: Command, driver: DriverConnection
) -> None:
    code, printed = await command.run("--timeframe", "1d", "--from", "0001-01-01", "--to", "2026-02-01")
    assert code == 0, printed
    days = await driver.fetch("SELECT open_time FROM candles ORDER BY open_time")
    assert days[-1][0] == START
    assert len(days) == (days[-1][0] - days[0][0]).days + 1 > 1_000
