"""A year of an account's equity by day over HTTP, out of all points that are kept of two years and 21 accounts.

An account has a point every minute of the last 7 days, every hour of the last 400 and every day before that. As many
hours and minutes are asked for as an answer may have.
"""

import sys
import time
from datetime import UTC, datetime, timedelta
from statistics import fmean
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import uvloop

from bench.client import Client
from bench.figures import Figure, percentile, report, spread
from bench.history import running_database
from bench.parts import engine, scratch
from bench.processes import cpu_seconds
from resolvers.ids import uuid_in

ASKED, WARM_UP = 200, 20
TARGET_MS = 50.0
OTHERS = 20
POINTS = """
INSERT INTO equity_points (subject_id, account_id, at, equity, deposited, peak, growth, highest_growth)
SELECT subject, $1, at, 10000 + 100 * sin(extract(epoch FROM at) / 5000)::numeric, 10000, 100, 1 + random() / 10, 1.1
FROM unnest($2::uuid[]) AS subject CROSS JOIN (
    SELECT generate_series(now() - interval '7 days', now() - interval '1 minute', interval '1 minute')
    UNION ALL SELECT generate_series(now() - interval '400 days', now() - interval '8 days', interval '1 hour')
    UNION ALL SELECT generate_series(now() - interval '800 days', now() - interval '401 days', interval '1 day')
) AS moments (at) ON CONFLICT DO NOTHING"""
HISTORY = """query($id: ID!, $interval: EquityInterval!, $from: DateTime!) { node(id: $id) { ... on Account {
  equityHistory(interval: $interval, from: $from) {
    returnPercent gaps { from to }
    points { at recordedAt equity netDeposits profit returnPercent drawdownPercent } } } } }"""
Times = dict[str, list[float]]
PERIODS = {"DAY": timedelta(days=365), "HOUR": timedelta(hours=990), "MINUTE": timedelta(minutes=990)}


async def measure(asked: int) -> None:
    times: Times = {interval: [] for interval in PERIODS}
    cpu: Times = {interval: [] for interval in PERIODS}
    async with scratch() as folder, engine(folder) as running, aiohttp.ClientSession() as session:
        client = Client(session, running)
        await client.begin({"USDT": "10000"})
        await _store(await running_database(folder), client.account)
        for number in range(WARM_UP + asked):
            for interval, length in PERIODS.items():
                used, began = cpu_seconds(running.process.pid), time.perf_counter()
                history = await _history(client, interval, length)
                if number >= WARM_UP:
                    times[interval].append(time.perf_counter() - began)
                    cpu[interval].append(cpu_seconds(running.process.pid) - used)
                assert len(history["points"]) >= length // (length / 365 if interval == "DAY" else length / 900)
    _report(times, cpu)


async def _store(dsn: str, account: str) -> None:
    account_id = uuid_in(account, "Account")
    assert account_id is not None
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute("UPDATE accounts SET created_at = now() - interval '2 years'")
        subjects: list[UUID] = [account_id, *(uuid4() for _ in range(OTHERS))]
        await connection.execute(POINTS, account_id, subjects)
        await connection.execute("ANALYZE equity_points")
    finally:
        await connection.close()


async def _history(client: Client, interval: str, length: timedelta) -> Any:
    start = f"{datetime.now(UTC) - length:%Y-%m-%dT%H:%M:%S}Z"
    return (await client.run(HISTORY, **{"id": client.account, "interval": interval, "from": start}))["equityHistory"]


def _report(times: Times, cpu: Times) -> None:
    used = {interval: fmean(each) * 1000 for interval, each in cpu.items()}
    rows = [[interval, len(each), *spread(each).values(), used[interval]] for interval, each in times.items()]
    p50, p99 = (percentile(times["DAY"], at) * 1000 for at in (50, 99))
    measured = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms; {used['DAY']:.0f} ms of the engine's processor time"
    figure = Figure(
        "a year of an account's equity by day, over HTTP", measured, f"≤ {TARGET_MS:g} ms", p99 <= TARGET_MS
    )
    report("equity_history", ["interval", "asked", "p50 ms", "p99 ms", "max ms", "cpu ms"], rows, [figure])


if __name__ == "__main__":
    uvloop.run(measure(*map(int, sys.argv[1:]) if sys.argv[1:] else [ASKED]))
