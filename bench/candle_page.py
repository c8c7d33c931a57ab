"""A page of 1,000 minute candles over HTTP, at random places among 24 months of 10 markets, warm and after a restart.

The baseline is what cannot be left out: Starlette, asyncpg and the engine's own statement, the rows written to the same
JSON without GraphQL, cursors or a look for what is missing. Before the cold half the engine and its PostgreSQL are
stopped and the system is made to forget the files, so that pages come from the disk.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import uvloop

from bench.bare_pages import bare_pages
from bench.figures import Figure, percentile, report, spread
from bench.history import MINUTE, add_candles, add_markets, database, forget, running_database
from bench.parts import engine, scratch
from domain.model.markets import MarketSymbol

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 731
PAGES, COLD_PAGES, WARM_UP = 200, 60, 20
PAGE = 1_000
TARGET_MS = 50.0
MARKETS = [
    MarketSymbol("sandbox", f"{base}/USDT")
    for base in ("BTC", "ETH", "SOL", "XRP", "ADA", "DOGE", "LTC", "DOT", "LINK", "AVAX")
]
FIELDS = "nodes { openTime open high low close volume } pageInfo { hasNextPage hasPreviousPage startCursor endCursor }"
FORWARDS = f"""query($m: MarketSymbol!, $at: DateTime, $c: String) {{ market(symbol: $m) {{
  candles(timeframe: M1, from: $at, after: $c, first: {PAGE}) {{ {FIELDS} }} }} }}"""
BACKWARDS = f"""query($m: MarketSymbol!, $at: DateTime, $c: String) {{ market(symbol: $m) {{
  candles(timeframe: M1, to: $at, before: $c, last: {PAGE}) {{ {FIELDS} }} }} }}"""

Times = dict[str, list[float]]


class Pages:
    """Asks for pages at random places, and holds what comes against what was asked for."""

    def __init__(self, session: aiohttp.ClientSession, url: str, bare: str, seed: int) -> None:
        self._session = session
        self._url = f"{url}/graphql"
        self._bare = bare
        self._random = random.Random(seed)
        self.times: Times = {"forwards": [], "backwards": [], "by cursor": [], "bare, forwards": []}

    async def ask(self) -> None:
        """Ask for one page in each way, no two at one place."""
        at = self._place()
        page = await self._page("forwards", FORWARDS, at)
        assert page["nodes"][0]["openTime"] == _written(at)
        assert page["pageInfo"]["hasNextPage"]
        following = await self._page("by cursor", FORWARDS, at, page["pageInfo"]["endCursor"])
        assert following["nodes"][0]["openTime"] == _written(at + PAGE * MINUTE)
        at = self._place()
        page = await self._page("backwards", BACKWARDS, at)
        assert page["nodes"][-1]["openTime"] == _written(at - MINUTE)
        await self._bare_page(self._place())

    def _place(self) -> datetime:
        """Return a minute that has two pages before and after it."""
        self._market = str(self._random.choice(MARKETS))
        return START + self._random.randrange(2 * PAGE, DAYS * 1440 - 2 * PAGE) * MINUTE

    async def _page(self, way: str, document: str, at: datetime, cursor: str | None = None) -> Any:
        body = {"query": document, "variables": {"m": self._market, "at": _written(at), "c": cursor}}
        began = time.perf_counter()
        async with self._session.post(self._url, json=body) as response:
            answer = await response.read()
        self.times[way].append(time.perf_counter() - began)
        page = json.loads(answer)["data"]["market"]["candles"]
        assert len(page["nodes"]) == PAGE
        return page

    async def _bare_page(self, at: datetime) -> None:
        asked = {"market": self._market, "from": _written(at), "limit": str(PAGE + 1)}
        began = time.perf_counter()
        async with self._session.get(self._bare, params=asked) as response:
            answer = await response.read()
        self.times["bare, forwards"].append(time.perf_counter() - began)
        assert json.loads(answer)["nodes"][0]["openTime"] == _written(at)


async def measure(pages: int, cold_pages: int) -> None:
    async with scratch() as folder:
        await _load(folder)
        async with _asking(folder, 1) as warm:
            for _ in range(WARM_UP):
                await warm.ask()
            for times in warm.times.values():
                times.clear()
            for _ in range(pages):
                await warm.ask()
        await asyncio.to_thread(forget, folder / "engine" / "postgres")
        async with _asking(folder, 2) as cold:
            for _ in range(cold_pages):
                await cold.ask()
    _report(warm.times, cold.times)


async def _load(folder: Path) -> None:
    began = time.perf_counter()
    async with database(folder) as connection:
        await add_markets(connection, MARKETS)
        for seed, market in enumerate(MARKETS):
            await add_candles(connection, market, START, DAYS * 1440, seed)
        await connection.execute("VACUUM (ANALYZE) candles")
    sys.stdout.write(f"{len(MARKETS) * DAYS * 1440:,} candles stored in {time.perf_counter() - began:.0f} s\n")


@asynccontextmanager
async def _asking(folder: Path, seed: int) -> AsyncGenerator[Pages]:
    async with (
        engine(folder) as running,
        bare_pages(await running_database(folder)) as bare,
        aiohttp.ClientSession() as session,
    ):
        yield Pages(session, running.url, bare, seed)


def _written(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}Z"


def _report(warm: Times, cold: Times) -> None:
    rows: list[list[object]] = []
    for state, times in (("warm", warm), ("cold", cold)):
        rows += [[state, way, len(each), *spread(each).values()] for way, each in times.items()]
    ours, bare = warm["forwards"], warm["bare, forwards"]
    p50, p99 = (max(percentile(warm[way], at) for way in list(warm)[:3]) * 1000 for at in (50, 99))
    chilled = max(percentile(cold[way], 99) for way in list(cold)[:3]) * 1000
    ratio = percentile(ours, 50) / percentile(bare, 50)
    measured = f"p50 {p50:.0f} ms, p99 {p99:.0f} ms; after a restart p99 {chilled:.0f} ms ({ratio:.1f} times bare)"
    name = f"page of {PAGE:,} candles among {len(MARKETS) * DAYS * 1440 / 1e6:.1f} million, over HTTP"
    holds = p99 <= TARGET_MS and chilled <= TARGET_MS
    figure = Figure(name, measured, f"≤ {TARGET_MS:g} ms", holds)
    report("candle_page", ["state", "page", "asked", "p50 ms", "p99 ms", "max ms"], rows, [figure])


if __name__ == "__main__":
    given = [int(number) for number in sys.argv[1:]]
    uvloop.run(measure(*(given or [PAGES, COLD_PAGES])))
