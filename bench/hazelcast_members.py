"""Two nodes on three Hazelcast members, some of which are killed, frozen and restarted: how long who waits.

Then what one read costs: from a member, from the cache's memory, and of a market's book from the hub, which is where
readers of a followed market get it.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import uuid4

import uvloop

from bench.figures import ROOT, Figure, report, spread
from bench.parts import scratch
from domain.market_data import codec
from domain.market_data.hub import MarketDataHub
from domain.market_data.topics import depth_topic
from domain.model.markets import Depth, MarketSymbol, PriceLevel
from domain.ports.cache import CacheSpace
from infra.clock import SystemClock
from infra.hazelcast.options import HazelcastOptions
from infra.postgres.database import PostgresDatabase
from infra.postgres.migrate import migrate
from infra.postgres.pool import close_pool, create_pool
from infra.postgres.server.embedded import EmbeddedPostgres
from tests.support.cluster_load import Load, LoadedNode, is_used_again
from tests.support.hazelcast import Member, cluster_of, start_all
from tests.support.waiting import eventually, read_until

CALM_SECONDS = 5.0
FAULT_SECONDS = 10.0
READS = 2_000
WAIT_SECONDS = 2.0
"""What the loss of one member may make any reader wait."""

KINDS = ("read", "write", "login check", "rate limit", "publish")


async def measure(folder: Path) -> None:
    (folder / "members").mkdir()
    members = cluster_of(folder / "members", 3, _configuration(), "r3edge")
    start_all(members)
    try:
        async with _database(folder) as database, _nodes(members, database) as (here, there):
            rows, waits = [], {}
            load = Load(here, there, database)
            async with load.running():
                await read_until(lambda: is_used_again(load, 3), bool, "the cluster is used")
                for name, fault in FAULTS.items():
                    load.longest_seconds = defaultdict(float)
                    await fault(members)
                    start = time.monotonic()
                    await read_until(lambda: is_used_again(load, 3), bool, "the cluster is used again")
                    rows.append((name, *(load.longest_seconds[kind] for kind in KINDS), time.monotonic() - start))
                    waits[name] = max(load.longest_seconds[kind] for kind in KINDS)
            print("\n".join(load.wrong))
            costs = await _read_costs(here, there)
    finally:
        for member in members:
            member.kill()
    rows += [(f"one read: {name}", *[""] * len(KINDS), f"{cost['p50_ms']} ms p50") for name, cost in costs.items()]
    killed = waits["one of three killed"]
    figures = [
        Figure("the longest that anything waited as one of three members was killed", f"{killed:.2f} s",
               f"{WAIT_SECONDS:g} s", killed <= WAIT_SECONDS),
        Figure("what was wrong", str(len(load.wrong)), "0", not load.wrong),
    ]  # fmt: skip
    report(
        "hazelcast_members",
        ("what happens", *(f"{kind}, longest s" for kind in KINDS), "all used again s"),
        rows,
        figures,
    )


def _configuration() -> str:
    config = (ROOT / "deploy" / "hazelcast.xml").read_text()
    config = config.replace(">5701<", ">{port}<").replace("${r3edge.members}", "{members}")
    loopback = '<interfaces enabled="true"><interface>127.0.0.1</interface></interfaces>'
    return config.replace("</network>", f"{loopback}</network>")


async def _calm(_members: list[Member]) -> None:
    await asyncio.sleep(CALM_SECONDS)


async def _one_killed(members: list[Member]) -> None:
    members[1].kill()
    await asyncio.sleep(FAULT_SECONDS)
    await asyncio.to_thread(members[1].start)


async def _one_frozen(members: list[Member]) -> None:
    members[2].freeze()
    await asyncio.sleep(FAULT_SECONDS)
    members[2].thaw()


async def _all_killed(members: list[Member]) -> None:
    for member in members:
        member.kill()
    await asyncio.sleep(FAULT_SECONDS)
    await asyncio.to_thread(start_all, members)


async def _one_by_one(members: list[Member]) -> None:
    for member in members:
        await asyncio.to_thread(member.stop)
        await asyncio.to_thread(member.start)
        await asyncio.sleep(CALM_SECONDS)


FAULTS: dict[str, Callable[[list[Member]], Awaitable[None]]] = {
    "nothing": _calm,
    "one of three killed": _one_killed,
    "one of three frozen": _one_frozen,
    "restarted one by one": _one_by_one,
    "all killed": _all_killed,
}


@asynccontextmanager
async def _nodes(members: list[Member], database: PostgresDatabase) -> AsyncGenerator[tuple[LoadedNode, LoadedNode]]:
    options = HazelcastOptions([member.address for member in members], "r3edge")
    here, there = LoadedNode(options, database), LoadedNode(options, database)
    for node in (here, there):
        await node.start()
    yield here, there
    for node in (here, there):
        await node.close()


@asynccontextmanager
async def _database(folder: Path) -> AsyncGenerator[PostgresDatabase]:
    server = EmbeddedPostgres(folder / "postgres")
    await server.start()
    try:
        await migrate(server.dsn)
        pool = await create_pool(server.dsn, init_size=4, max_size=8)
        yield PostgresDatabase(pool, None, SystemClock())  # type: ignore[arg-type]  # nothing here publishes events
        await close_pool(pool)
    finally:
        await server.stop()


async def _read_costs(here: LoadedNode, there: LoadedNode) -> dict[str, dict[str, float]]:
    """Return what a read costs on a node of what another one has written."""
    market, clock = MarketSymbol("sandbox", "BTC/USDT"), SystemClock()
    levels = tuple(PriceLevel(price, price) for price in range(1, 101))  # type: ignore[arg-type]
    book = Depth(market, "e", 1, levels[::-1], (), None, clock.now())
    message, key = codec.encode_depth(book), uuid4().hex
    await here.cache.put(CacheSpace.LOGIN_SESSIONS, key, message, 60)
    await here.cache.put(CacheSpace.DEPTH, str(market), message, 60)
    hub = MarketDataHub(there.bus, there.cache, None, clock)  # type: ignore[arg-type]
    async with hub.subscribe(market) as state:
        await here.bus.publish(depth_topic(market), message)
        await eventually(lambda: state.latest_depth, "the book has come by the bus")
        costs = {
            "from a member": await _cost(lambda: there.cache.get(CacheSpace.LOGIN_SESSIONS, key)),
            "from the cache's memory": await _cost(lambda: there.cache.get(CacheSpace.DEPTH, str(market))),
            "of a followed market, from the hub": await _cost(lambda: hub.depth(market)),
        }
    await hub.close()
    return costs


async def _cost(read: Callable[[], Awaitable[object]]) -> dict[str, float]:
    taken = []
    for _ in range(READS):
        with _stopwatch(taken):
            assert await read() is not None
    return spread(taken)


@contextmanager
def _stopwatch(taken: list[float]) -> Iterator[None]:
    start = time.perf_counter()
    yield
    taken.append(time.perf_counter() - start)


async def main() -> None:
    async with scratch() as folder:
        await measure(folder)


if __name__ == "__main__":
    uvloop.run(main())
