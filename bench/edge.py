"""What a request over HTTP costs: processor time of the server alone, for the queries that front ends repeat most.

Engines with different settings, and bare Starlette as the baseline, run at the same time and are asked in turns, so
that a busy moment of the machine meets all of them. What an engine uses at rest is taken off. Engines write their
access log.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncGenerator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import uvloop

from bench.bare_answers import bare_answers
from bench.client import MARKET, Client, client
from bench.figures import Figure, report
from bench.history import add_candles, add_markets, database
from bench.parts import Engine, engine, exchange, scratch
from bench.processes import cpu_seconds
from bench.requests import ask_for, ask_once
from domain.model.markets import MarketSymbol
from tests.support.sandbox import SandboxProcess

MODES: dict[str, dict[str, str]] = {
    "shared answers": {},
    "engine": {"R3EDGE_SHARED_ANSWERS_MEGABYTES": "0"},
    "without access log": {"R3EDGE_LOG_LEVEL": "warning", "R3EDGE_SHARED_ANSWERS_MEGABYTES": "0"},
    "graphql-core alone": {"R3EDGE_COMPILED_SELECTIONS": "false", "R3EDGE_SHARED_ANSWERS_MEGABYTES": "0"},
}
"""The settings of the engines that are compared."""

ROUNDS, SECONDS, WARM_UP_SECONDS = 5, 2.0, 1.0
ORDERS = 50
STORED = MarketSymbol("sandbox", "ETH/USDT")
START = datetime(2024, 1, 1, tzinfo=UTC)
LEVELS = "{ price quantity }"
DOCUMENTS = {
    "{ __typename }": "{ __typename }",
    "depth, 20 levels a side": f'{{ market(symbol: "{MARKET}") {{ depth(levels: L20) {{ sequence bids {LEVELS} '
    f"asks {LEVELS} }} }} }}",
    "1,000 candles of 6 fields": f'{{ market(symbol: "{STORED}") {{ candles(timeframe: M1, '
    'from: "2024-01-01T00:00:00Z", first: 1000) { nodes { openTime open high low close volume } } } }',
    "1,000 candles as a series": f'{{ market(symbol: "{STORED}") {{ candleSeries(timeframe: M1, '
    'from: "2024-01-01T00:00:00Z", first: 1000) { openTimes opens highs lows closes volumes } } }',
    "50 orders with market, account and fills": f"{{ viewer {{ orders(first: {ORDERS}) {{ nodes {{ id side type status "
    "quantity price market { symbol } account { id name } fills(first: 5) { nodes { price quantity } } } } } }",
}
TARGETS_US = dict(zip(DOCUMENTS, (40, 40, 80, 80, 3_000), strict=True))
BARE = {"{ __typename }": "/typename", "depth, 20 levels a side": "/depth"}


@dataclass
class Server:
    """A server that is measured: what it uses at rest, and what its requests cost."""

    name: str
    running: Engine
    token: str = ""
    paths: dict[str, str] = field(default_factory=lambda: dict.fromkeys(DOCUMENTS, "/graphql"))
    share_at_rest: float = 0.0
    costs_us: dict[str, list[float]] = field(default_factory=dict)

    async def measure_rest(self) -> None:
        """Measure the share of a core that it uses while nobody asks."""
        used, took = await self._used(asyncio.sleep(SECONDS))
        self.share_at_rest = used / took

    async def measure(self, name: str, seconds: float) -> None:
        """Ask for one document all the time, and keep what a request cost."""
        if name not in self.paths:
            return
        request = self._request(name)
        asking = asyncio.ensure_future(ask_for(self.running.url, request, seconds))
        used, took = await self._used(asking)
        cost = (used - self.share_at_rest * took) / await asking
        self.costs_us.setdefault(name, []).append(cost * 1e6)

    async def check(self) -> None:
        """Raise an error unless every document is answered by data."""
        for name in self.paths:
            answer = json.loads(await ask_once(self.running.url, self._request(name)))
            if "errors" in answer or None in answer["data"].values():
                raise RuntimeError(f"{self.name}, {name}: {str(answer)[:300]}")

    def _request(self, name: str) -> bytes:
        body = json.dumps({"query": DOCUMENTS[name]}).encode()
        head = f"POST {self.paths[name]} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"
        if self.token:
            head += f"authorization: Bearer {self.token}\r\n"
        return f"{head}content-length: {len(body)}\r\n\r\n".encode() + body

    async def _used(self, during: Awaitable[object]) -> tuple[float, float]:
        pid = self.running.process.pid
        began, before = time.perf_counter(), cpu_seconds(pid)
        await during
        return cpu_seconds(pid) - before, time.perf_counter() - began


async def measure(rounds: int, seconds: float, modes: list[str]) -> None:
    async with AsyncExitStack() as stack:
        folder = await stack.enter_async_context(scratch())
        sandbox = await stack.enter_async_context(exchange(folder))
        bare = await stack.enter_async_context(bare_answers())
        servers = [Server("bare Starlette", bare, paths=BARE)]
        for mode in modes:
            servers.append(await stack.enter_async_context(_server(folder / str(len(servers)), sandbox, mode)))
        for server in servers:
            await server.check()
            for name in DOCUMENTS:
                await server.measure(name, WARM_UP_SECONDS)
            server.costs_us.clear()
        for server in servers:
            await server.measure_rest()
        for _ in range(rounds):
            for name in DOCUMENTS:
                for server in servers:
                    await server.measure(name, seconds)
    _report(servers)


@asynccontextmanager
async def _server(folder: Path, sandbox: SandboxProcess, mode: str) -> AsyncGenerator[Server]:
    """Run an engine that has candles of one market, and a user with orders, half of them filled."""
    settings = {"R3EDGE_LOG_LEVEL": "info", "R3EDGE_REQUESTS_PER_MINUTE_PER_ADDRESS": "100000000", **MODES[mode]}
    await asyncio.to_thread(folder.mkdir)
    async with database(folder) as connection:
        await add_markets(connection, [STORED])
        await add_candles(connection, STORED, START, 2 * 1440, 1)
    async with (
        engine(folder, sandbox, log=folder / "log", **settings) as running,
        client(running, BTC="1000", USDT="10000000") as user,
    ):
        await _place_orders(user)
        yield Server(mode, running, user.token)


async def _place_orders(user: Client) -> None:
    resting, taking = await user.price("bids", "0.9"), await user.price("asks", "1.05")
    for number in range(ORDERS):
        await user.place_limit_at_once("BUY", taking if number % 2 else resting, "0.01")


def _report(servers: list[Server]) -> None:
    rows: list[list[object]] = []
    figures = []
    for name in DOCUMENTS:
        costs = {server.name: median(server.costs_us[name]) for server in servers if name in server.costs_us}
        rows += [[name, who, round(cost, 1)] for who, cost in costs.items()]
        ours, target = costs.pop(servers[1].name), TARGETS_US[name]
        others = "".join(f"; {who} {cost:,.0f}" for who, cost in costs.items())
        holds = ours <= target
        figures.append(Figure(f"a request for {name}", f"{ours:,.0f} µs{others}", f"≤ {target:,} µs", holds))
    report("edge", ["document", "server", "µs of its processor a request"], rows, figures)


if __name__ == "__main__":
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else SECONDS
    uvloop.run(measure(rounds, seconds, sys.argv[3:] or list(MODES)))
