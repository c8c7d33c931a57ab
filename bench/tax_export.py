"""A tax export of 1,000,000 fills over HTTP: how long it takes, and how much memory the engine needs for it.

Half of the fills buy and half sell, on one account, over three years; the file is read as fast as it comes.
"""

import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
import uvloop

from bench.client import Client
from bench.figures import Figure, report
from bench.history import running_database
from bench.parts import engine, scratch
from bench.processes import cpu_seconds
from resolvers.ids import uuid_in

FILLS = 1_000_000
TARGET_MB = 100.0
ORDER = """
INSERT INTO orders (id, user_id, account_id, market, client_order_id, side, type, role, quantity, created_at,
    updated_at, status, revision, post_only, reduce_only, filled_quantity, filled_cost, absences)
SELECT gen_random_uuid(), user_id, id, 'sandbox:BTC/USDT', 'bench', 'BUY', 'MARKET', 'MANUAL', 1, now(), now(),
    'FILLED', 1, false, false, 1, 1, 0 FROM accounts WHERE id = $1 RETURNING id, user_id"""
STORE = """
INSERT INTO fills (id, order_id, user_id, account_id, market, side, venue_trade_id, at, price, quantity, fee,
    fee_currency, maker)
SELECT gen_random_uuid(), $2, $3, $1, 'sandbox:BTC/USDT', CASE WHEN n % 2 = 0 THEN 'BUY' ELSE 'SELL' END, n::text,
    now() - interval '3 years' + n * interval '94 seconds', 60000 + n % 997, 0.01 + (n / 2 % 13) * 0.001, 0.06, 'USDT',
    false FROM generate_series(0, $4::bigint - 1) n"""
LINK = "query($id: ID!) { node(id: $id) { ... on Account { taxExport { path } } } }"


async def measure(fills: int) -> None:
    async with scratch() as folder, engine(folder) as running, aiohttp.ClientSession() as session:
        client = Client(session, running)
        await client.begin({"USDT": "10000"})
        await _store(await running_database(folder), client.account, fills)
        path = (await client.run(LINK, id=client.account))["taxExport"]["path"]
        pid = running.process.pid
        used, memory, began = cpu_seconds(pid), _peak_bytes(pid), time.perf_counter()
        lines, size, first = await _fetch(session, running.url + path)
        seconds, grown = time.perf_counter() - began, (_peak_bytes(pid) - memory) / 1e6
        cpu = cpu_seconds(pid) - used
        assert lines == fills + 1
    rows = [[fills, size / 1e6, first, seconds, cpu, grown]]
    measured = f"{cpu:.0f} s of processor time, {size / 1e6:.0f} MB of CSV; the engine's memory grew by {grown:.0f} MB"
    name = f"tax export of {fills:,} fills over HTTP"
    figure = Figure(name, measured, f"≤ {TARGET_MB:g} MB", grown <= TARGET_MB)
    report("tax_export", ["fills", "MB", "first byte s", "s", "cpu s", "memory grown MB"], rows, [figure])


async def _store(dsn: str, account: str, fills: int) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        account_id = uuid_in(account, "Account")
        order = await connection.fetchrow(ORDER, account_id)
        assert order is not None
        await connection.execute(STORE, account_id, order["id"], order["user_id"], fills)
        await connection.execute("ANALYZE fills")
    finally:
        await connection.close()


async def _fetch(session: aiohttp.ClientSession, url: str) -> tuple[int, int, float]:
    """Return how many lines and bytes the file has, and after how many seconds the first of them came."""
    lines = size = 0
    began, first = time.perf_counter(), 0.0
    timeout: Any = aiohttp.ClientTimeout(total=None)
    async with session.get(url, timeout=timeout) as response:
        assert response.status == 200
        async for piece in response.content.iter_any():
            first = first or time.perf_counter() - began
            lines, size = lines + piece.count(b"\n"), size + len(piece)
    return lines, size, first


def _peak_bytes(pid: int) -> int:
    """Return the most memory that the process has had resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) * 1024


if __name__ == "__main__":
    uvloop.run(measure(*map(int, sys.argv[1:]) if sys.argv[1:] else [FILLS]))
