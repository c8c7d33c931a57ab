"""How many webhook messages a minute a node delivers: bursts of 10,000 events to one channel, and to ten at once.

The log, the receiver and the signatures are real; the receiver is in the same process, so it takes a part of the core.
"""

import asyncio
import sys
import time
from dataclasses import replace

import uvloop

from bench.figures import Figure, report
from bench.parts import database, scratch
from domain.notifications.deliverer import DelivererOptions
from infra.clock import SystemClock
from infra.embedded.bus import EmbeddedBus
from infra.logging import configure_logging
from infra.postgres.database import PostgresDatabase
from infra.postgres.pool import create_pool
from infra.settings import LogFormat
from tests.support.mail_server import LoopbackMailServer
from tests.support.notifying import Notifying, open_notifying
from tests.support.waiting import eventually

EVENTS = 10_000
TARGET_A_MINUTE = 1_000
PATIENCE_SECONDS = 1_200.0


async def measure(events: int) -> None:
    configure_logging("warning", LogFormat.CONSOLE)
    rows = []
    for channels in (1, 10):
        async with scratch() as folder, database(folder) as dsn:
            seconds = await _burst(dsn, channels, events)
        rows.append([channels, events, seconds, round(events * 60 / seconds)])
    slowest = min(int(str(row[3])) for row in rows)
    figure = Figure(
        "webhook messages a minute of one node, the slower of one channel and of ten",
        f"{slowest:,}",
        f"≥ {TARGET_A_MINUTE:,}",
        slowest >= TARGET_A_MINUTE,
    )
    report("webhook_deliveries", ["channels", "messages", "seconds", "a minute"], rows, [figure])


async def _burst(dsn: str, channels: int, events: int) -> float:
    pool = await create_pool(dsn)
    store = PostgresDatabase(pool, EmbeddedBus(), SystemClock())
    try:
        async with store.transaction() as transaction:
            await transaction.market_data.ensure_partitions(1)
        async with open_notifying(store, LoopbackMailServer()) as notifying:
            return await _deliver(notifying, channels, events)
    finally:
        await store.close()
        await pool.close()


async def _deliver(notifying: Notifying, channels: int, events: int) -> float:
    notifying.options = replace(DelivererOptions(), poll_seconds=0.05)
    for _ in range(channels):
        await notifying.webhook()
    await notifying.alert(*(str(number) for number in range(events // channels)))
    started = time.perf_counter()
    delivering = asyncio.create_task(notifying.deliverer().run())
    await eventually(lambda: len(notifying.receiver.requests) >= events, "all messages", PATIENCE_SECONDS)
    seconds = time.perf_counter() - started
    delivering.cancel()
    await asyncio.gather(delivering, return_exceptions=True)
    ids = [request.headers["webhook-id"] for request in notifying.receiver.requests]
    assert len(set(ids)) == len(ids) == events, "each once"
    return round(seconds, 2)


if __name__ == "__main__":
    uvloop.run(measure(int(sys.argv[1]) if len(sys.argv) > 1 else EVENTS))
