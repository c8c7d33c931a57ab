"""Whether memory stays flat: trading sessions, subscribers, and sockets and documents that come and go, for hours.

Every second candle each session buys or sells; a third of the subscribers each follows depth, candles and its user's
events. Memory is what a process has allocated, without pages of files; its growth is a line by least squares through
all samples after the first ten minutes.
"""

import argparse
import asyncio
import itertools
import sys
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
import numpy as np
import uvloop

from bench.client import Client
from bench.figures import Figure, report
from bench.parts import Engine, engine, scratch
from bench.processes import PARTS, memory_by_part
from infra.web.documents.preparation import MAX_CACHED_DOCUMENTS

MARKETS = ("sandbox:BTC/USDT", "sandbox:ETH/USDT", "sandbox:SOL/USDT")
SETTLING_MINUTES = 10.0
ALLOWED_PER_HOUR = 1.0
"""MiB that the engine may grow in an hour, after it has settled."""

STRATEGY = """mutation($i: StrategyCreateInput!) { strategyCreate(input: $i) {
  strategy { version { id } } errors { message } } }"""
SESSION = """mutation($i: TradingSessionStartInput!) { tradingSessionStart(input: $i) {
  tradingSession { id } errors { message } } }"""
TRADING = {
    "enterLong": "close > 0.9 * sma(close, 5)",
    "maxHoldingBars": 1,
    "sizing": {"quoteAmount": "50"},
}
DEPTH = """subscription($m: MarketSymbol!) { marketDepth(market: $m, levels: L20, cadence: %s) {
  __typename ... on MarketDepthSnapshot { sequence bids { price quantity } asks { price quantity } } } }"""
CANDLES = """subscription($m: MarketSymbol!) { candles(market: $m, timeframe: M1) {
  openTime open high low close volume closed } }"""
EVENTS = "subscription { events { cursor sequence kind message } }"
ONE_OF_MANY = """query Page%d($m: MarketSymbol!) { viewer { orders(first: 20) { nodes { id status } } }
  market(symbol: $m) { ticker { last } candles(timeframe: M1, last: 20) { nodes { openTime close } } } }"""


@dataclass(frozen=True)
class Load:
    """What is done to the engine."""

    minutes: float
    sessions: int
    subscribers: int
    churn_seconds: float
    """How long until one subscriber leaves, another comes, and a document is asked that nobody asked before."""
    cadence: str
    sample_seconds: float


@dataclass
class Counts:
    """What the engine was seen to do."""

    frames: int = 0
    churned: int = 0
    restarted: int = 0


@dataclass
class Samples:
    """Anonymous memory in MiB of each part, by minutes since the load stood."""

    minutes: list[float] = field(default_factory=list)
    parts: dict[str, list[float]] = field(default_factory=lambda: {part: [] for part in PARTS})

    def add(self, minute: float, process: int) -> None:
        self.minutes.append(minute)
        for part, memory in memory_by_part(process).items():
            self.parts[part].append(memory.anonymous)

    def growth_per_hour(self, part: str) -> float | None:
        """Return the slope after the engine has settled; None where there are too few samples for one."""
        first = int(np.searchsorted(self.minutes, SETTLING_MINUTES))
        if len(self.minutes) - first < 10:
            return None
        return float(np.polyfit(self.minutes[first:], self.parts[part][first:], 1)[0]) * 60


class Crowd:
    """Subscribers of three kinds, each on a socket of its own."""

    def __init__(self, clients: Sequence[Client], load: Load) -> None:
        self._clients = clients
        self._load = load
        self._numbers = itertools.count()
        self._questions = itertools.count()
        self._members: list[asyncio.Task[None]] = []
        self.counts = Counts()

    async def come(self) -> None:
        for _ in range(self._load.subscribers):
            self._add()
            await asyncio.sleep(0.02)

    async def fill_memories(self) -> None:
        """Ask for as many documents as the engine remembers at most, which it would only reach after a while."""
        for _ in range(MAX_CACHED_DOCUMENTS):
            await self._ask(next(self._questions))

    async def churn(self) -> None:
        """Let the one who has been there longest leave, and ask what nobody has asked; for ever."""
        while True:
            await asyncio.sleep(self._load.churn_seconds)
            if self._members:
                await _cancel([self._members.pop(0)])
                self._add()
            await self._ask(next(self._questions))
            self.counts.churned += 1

    async def _ask(self, number: int) -> None:
        client = self._clients[number % len(self._clients)]
        while True:
            # A kept-alive connection may be closed by the engine in the moment in which it is used again.
            with suppress(aiohttp.ClientConnectionError):
                await client.run(ONE_OF_MANY % number, m=MARKETS[number % len(MARKETS)])
                return

    async def leave(self) -> None:
        await _cancel(self._members)

    def _add(self) -> None:
        self._members.append(asyncio.create_task(self._follow(next(self._numbers))))

    async def _follow(self, number: int) -> None:
        document = (DEPTH % self._load.cadence, CANDLES, EVENTS)[number % 3]
        variables = {} if number % 3 == 2 else {"m": MARKETS[number // 3 % len(MARKETS)]}
        client = self._clients[number % len(self._clients)]
        while True:
            try:
                async with client.subscribe(document, **variables) as events:
                    async for _ in events:
                        self.counts.frames += 1
            except (OSError, RuntimeError) as error:
                sys.stderr.write(f"a subscriber starts again: {error}\n")
            self.counts.restarted += 1
            await asyncio.sleep(1)


async def soak(load: Load) -> None:
    samples = Samples()
    async with scratch() as folder, engine(folder) as running, _traders(running, load.sessions) as clients:
        crowd = Crowd(clients, load)
        await crowd.fill_memories()
        churning = asyncio.create_task(crowd.churn())
        await crowd.come()
        started = time.monotonic()
        while (minute := (time.monotonic() - started) / 60) < load.minutes:
            samples.add(minute, running.process.pid)
            sys.stdout.write(f"{minute:6.1f} min  {_shown(samples)}  {crowd.counts}\n")
            sys.stdout.flush()
            await asyncio.wait({churning}, timeout=load.sample_seconds)
            if churning.done():
                churning.result()
        await _cancel([churning])
        await crowd.leave()
    _report(load, samples, crowd.counts)


@asynccontextmanager
async def _traders(running: Engine, sessions: int) -> AsyncGenerator[list[Client]]:
    """Give users with a trading session on each market, as many as make `sessions`."""
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(aiohttp.ClientSession())
        clients: list[Client] = []
        for number in range(sessions):
            if number % len(MARKETS) == 0:
                clients.append(Client(http, running))
                await clients[-1].begin({"USDT": "1000000"})
            await _start_session(clients[-1], MARKETS[number % len(MARKETS)])
        yield clients


async def _start_session(client: Client, market: str) -> None:
    strategy = (await client.change(STRATEGY, name=f"soak {market}", definition=TRADING))["strategy"]
    version = strategy["version"]["id"]
    await client.change(SESSION, strategyVersion=version, account=client.account, market=market, timeframe="M1")


async def _cancel(tasks: Sequence["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    for task in tasks:
        with suppress(asyncio.CancelledError):
            await task


def _shown(samples: Samples) -> str:
    return "  ".join(f"{part} {values[-1]:.1f}" for part, values in samples.parts.items())


def _report(load: Load, samples: Samples, counts: Counts) -> None:
    rows: list[list[object]] = []
    for part, values in samples.parts.items():
        growth = samples.growth_per_hour(part)
        settled = values[int(np.searchsorted(samples.minutes, SETTLING_MINUTES)) :] or values[-1:]
        shown = "too short" if growth is None else round(growth, 2)
        rows.append([part, *(round(value, 1) for value in (values[0], settled[0], values[-1], max(values))), shown])
    ours = samples.growth_per_hour("engine")
    name = (
        f"growth of the engine after {SETTLING_MINUTES:g} of {load.minutes:g} minutes, "
        f"{load.sessions} trading sessions, {load.subscribers} subscribers, "
        f"{counts.frames:,} frames, {counts.churned:,} sockets and documents replaced"
    )
    figure = (
        Figure(name, "too short to tell")
        if ours is None
        else Figure(name, f"{ours:+.2f} MiB an hour", f"< {ALLOWED_PER_HOUR:g} MiB an hour", ours < ALLOWED_PER_HOUR)
    )
    columns = ["part", "at first MiB", "settled MiB", "at last MiB", "most MiB", "MiB an hour"]
    report("soak", columns, rows, [figure])


def _arguments() -> Load:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--minutes", type=float, default=180.0)
    parser.add_argument("--sessions", type=int, default=18)
    parser.add_argument("--subscribers", type=int, default=150)
    parser.add_argument("--churn-seconds", type=float, default=5.0)
    parser.add_argument("--cadence", default="MS500", choices=["MS20", "MS100", "MS500", "MS1000"])
    parser.add_argument("--sample-seconds", type=float, default=30.0)
    return Load(**vars(parser.parse_args()))


if __name__ == "__main__":
    uvloop.run(soak(_arguments()))
