"""Orders, subscribers and sessions on 1, 2 and 4 nodes over one database: what each costs, and what is the bound.

All parts and the clients share the machine, so what is done a second is less than these parts could do on machines of
their own; the processor time of each part is what to reckon with (docs/scaling.md).
"""

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from typing import Any

import uvloop

from bench.client import MARKET, Client, client
from bench.cluster import PARTS, Cluster, Used, cluster
from bench.figures import Figure, report, spread
from domain.core.background import cancel_and_wait

SIZES = (1, 2, 4)
ACCOUNTS = 16
ORDERS_AN_ACCOUNT = 40
SUBSCRIBERS = 240
WATCHED_SECONDS = 15.0
SESSIONS_AN_ACCOUNT = 8
TRADED_SECONDS = 65.0
"""Longer than a minute, so that each session judges one candle."""

STRATEGY = """mutation($i: StrategyCreateInput!) { strategyCreate(input: $i) {
  strategy { version { id } } errors { message } } }"""
SESSION = """mutation($i: TradingSessionStartInput!) { tradingSessionStart(input: $i) {
  tradingSession { id } errors { message } } }"""
QUIET = {"enterLong": "crosses_above(ema(close, 5), ema(close, 12)) and close < 0", "sizing": {"quoteAmount": "50"}}
BOOK = """subscription($m: MarketSymbol!) { marketDepth(market: $m, levels: L20, cadence: MS100) {
  __typename ... on MarketDepthSnapshot { sequence bids { price quantity } asks { price quantity } }
  ... on MarketDepthDelta { sequence bids { price quantity } asks { price quantity } } } }"""


@dataclass(frozen=True, slots=True)
class Load:
    """What was done, how often, in how many seconds, and what it took."""

    name: str
    count: int
    seconds: float
    used: Used

    def without(self, rest: "Load") -> "Load":
        """Return what the load alone took: without what the same seconds take at rest."""
        return replace(self, used=self.used - rest.used.times(self.seconds / rest.seconds))

    @property
    def busiest(self) -> str:
        """Which part has used most of the machine, and how much all have."""
        part = max(PARTS, key=lambda each: self.used.cpu[each])
        share, cores = 100 * self.used.cpu[part] / self.seconds, sum(self.used.cpu.values()) / self.seconds
        return f"{part} {share:.0f} % of a core, all together {cores:.1f} of {os.cpu_count()}"


@dataclass(frozen=True, slots=True)
class Found:
    """What one size came to; delays of orders are in seconds."""

    loads: Sequence[Load]
    delays: Sequence[float]
    subscriber_kib: float


async def measure(sizes: Sequence[int]) -> None:
    """Measure each size on parts of its own, and report all of them."""
    rows: list[list[object]] = []
    figures: list[Figure] = []
    for size in sizes:
        async with cluster(size, os.getpid()) as running, AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(client(running.nodes[number % size], USDT="1000000"))
                for number in range(ACCOUNTS)
            ]
            found = await _measure(running, clients)
        rows += [_row(size, found.loads[0]), *(_row(size, load.without(found.loads[0])) for load in found.loads[1:])]
        figures.append(_figure(size, found))
    columns = ["nodes", "one of", "a second", *(f"{part}, ms" for part in PARTS), "transactions", "WAL kB", "messages"]
    report("scale", columns, rows, figures)


async def _measure(running: Cluster, clients: Sequence[Client]) -> Found:
    price = await clients[0].price("bids", "0.5")
    await asyncio.gather(*(each.place_limit_patiently("BUY", price, "0.01") for each in clients))  # all accounts trade
    rest = await _load(running, "seconds at rest", asyncio.sleep(WATCHED_SECONDS, int(WATCHED_SECONDS)))
    delays: list[float] = []
    orders = await _load(running, "orders", _place_all(clients, price, delays))
    for each in clients:
        await each.cancel_all()
    for each in clients:
        await each.until_all_ended()
    async with AsyncExitStack() as stack:
        before = running.memory_mib()
        streams = [
            await stack.enter_async_context(clients[number % len(clients)].subscribe(BOOK, m=MARKET))
            for number in range(SUBSCRIBERS)
        ]
        frames = await _load(running, "frames", _watch(streams))
        memory_kib = (running.memory_mib() - before) * 1024 / SUBSCRIBERS
    for each in clients:
        await _start_sessions(each)
    candles = await _load(running, "candles judged", _trade(len(clients) * SESSIONS_AN_ACCOUNT))
    return Found([rest, orders, frames, candles], delays, memory_kib)


async def _load(running: Cluster, name: str, work: Coroutine[Any, Any, int]) -> Load:
    """Do the work, which returns how much it was."""
    used, began = await running.used(), time.perf_counter()
    count = await work
    seconds = time.perf_counter() - began
    return Load(name, count, seconds, await running.used() - used)


async def _place_all(clients: Sequence[Client], price: str, delays: list[float]) -> int:
    async def place(each: Client) -> None:
        for _ in range(ORDERS_AN_ACCOUNT):
            began = time.perf_counter()
            await each.place_limit_patiently("BUY", price, "0.01")
            delays.append(time.perf_counter() - began)

    await asyncio.gather(*map(place, clients))
    return len(delays)


async def _watch(streams: Sequence[AsyncIterator[Any]]) -> int:
    """Read all streams for a while; return how many frames came."""
    frames = 0

    async def read(stream: AsyncIterator[Any]) -> None:
        nonlocal frames
        async for _ in stream:
            frames += 1

    reading = [asyncio.create_task(read(stream)) for stream in streams]
    await asyncio.sleep(WATCHED_SECONDS)
    for task in reading:
        if task.done():
            task.result()  # a stream never ends by itself
        await cancel_and_wait(task)
    return frames


async def _start_sessions(each: Client) -> None:
    made = await each.change(STRATEGY, name="quiet", definition=QUIET)
    version = made["strategy"]["version"]["id"]
    for _ in range(SESSIONS_AN_ACCOUNT):
        await each.change(SESSION, strategyVersion=version, account=each.account, market=MARKET, timeframe="M1")


async def _trade(sessions: int) -> int:
    await asyncio.sleep(TRADED_SECONDS)
    return sessions


def _row(size: int, load: Load) -> list[object]:
    count = max(load.count, 1)
    costs = [round(1000 * max(load.used.cpu[part], 0.0) / count, 3) for part in PARTS]
    totals = (load.used.transactions, load.used.wal_bytes / 1000, load.used.messages)
    return [
        size,
        load.name,
        round(count / load.seconds, 1),
        *costs,
        *(round(max(total, 0.0) / count, 2) for total in totals),
    ]


def _figure(size: int, found: Found) -> Figure:
    _, orders, frames, _ = found.loads
    delay = spread(found.delays)
    measured = (
        f"{orders.count / orders.seconds:.0f} orders/s (p50 {delay['p50_ms']:.0f} ms, p99 {delay['p99_ms']:.0f} ms; "
        f"{orders.busiest}); {frames.count / frames.seconds:,.0f} frames/s to {SUBSCRIBERS} subscribers "
        f"({found.subscriber_kib:.0f} KiB each; {frames.busiest})"
    )
    return Figure(f"{size} node{'s' * (size > 1)}, {ACCOUNTS} accounts that place orders at once", measured)


if __name__ == "__main__":
    uvloop.run(measure([int(argument) for argument in sys.argv[1:]] or SIZES))
