"""What an account costs that does nothing: CPU of engine and PostgreSQL, and memory of the engine, for each of many.

The accounts are of one node, reconciled, without orders and trading sessions. What the same engine takes with a single
account is subtracted.
"""

import asyncio
import sys
from contextlib import AsyncExitStack

import uvloop

from bench.client import client
from bench.figures import Figure, report
from bench.parts import Engine, engine, exchange, scratch
from bench.processes import cpu_seconds_by_part, memory_by_part

ACCOUNTS = 100
SETTLE_SECONDS = 15.0
REST_SECONDS = 30.0
TARGET_CPU_PERCENT = 5.0
TARGET_KB = 100.0
THOUSAND = 1_000


async def measure(accounts: int) -> None:
    async with (
        scratch() as folder,
        exchange(folder) as sandbox,
        engine(folder, sandbox) as running,
        AsyncExitStack() as users,
    ):
        await users.enter_async_context(client(running, USDT="1000"))
        alone = await _at_rest(running)
        for _ in range(accounts):
            await users.enter_async_context(client(running, USDT="1000"))
        many = await _at_rest(running)
    _report(accounts, alone, many)


async def _at_rest(running: Engine) -> tuple[float, float, float]:
    """Return the CPU of engine and of PostgreSQL in percent of a core, and the engine's own memory in MiB."""
    await asyncio.sleep(SETTLE_SECONDS)
    before = cpu_seconds_by_part(running.process.pid)
    await asyncio.sleep(REST_SECONDS)
    after = cpu_seconds_by_part(running.process.pid)
    share = {part: (after[part] - before[part]) / REST_SECONDS * 100 for part in after}
    return share["engine"], share["PostgreSQL"], memory_by_part(running.process.pid)["engine"].anonymous


def _report(accounts: int, alone: tuple[float, float, float], many: tuple[float, float, float]) -> None:
    engine_cpu, postgres_cpu, memory = (after - before for before, after in zip(alone, many, strict=True))
    cpu, kb = (engine_cpu + postgres_cpu) / accounts * THOUSAND, memory * 1024 / accounts
    rows: list[list[object]] = [
        ["with one account", *(round(value, 2) for value in alone)],
        [f"with {accounts} more", *(round(value, 2) for value in many)],
    ]
    figures = [
        Figure(
            "1,000 accounts at rest, CPU of engine and PostgreSQL",
            f"{cpu:.1f} % of a core (from {accounts})",
            f"≤ {TARGET_CPU_PERCENT:g} %",
            cpu <= TARGET_CPU_PERCENT,
        ),
        Figure("memory of an account at rest", f"{kb:.0f} kB", f"≤ {TARGET_KB:g} kB", kb <= TARGET_KB),
    ]
    report("accounts_at_rest", ["what", "engine CPU %", "PostgreSQL CPU %", "engine MiB"], rows, figures)


if __name__ == "__main__":
    uvloop.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else ACCOUNTS))
