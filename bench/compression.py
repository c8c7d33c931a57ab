"""What gzip saves and costs: the size of an answer, the time to compress it, and how long a client waits.

Each answer is asked for plain and compressed in turns. The client doesn't unpack, so that times are the server's; what
a slow line saves by the smaller size isn't in them. Compressing alone is timed in the thread's own processor time.
"""

import sys
import time
from datetime import UTC, datetime

import aiohttp
import uvloop

from bench.figures import Figure, percentile, report
from bench.history import add_candles, add_markets, database
from bench.parts import Engine, engine, scratch
from domain.model.markets import MarketSymbol
from infra.web.http.compression import gzip_body

START = datetime(2024, 1, 1, tzinfo=UTC)
BTC = MarketSymbol("sandbox", "BTC/USDT")
ROUNDS, ASKED, WARM_UP, PACKED = 10, 20, 20, 101
CANDLES = """{ market(symbol: "sandbox:BTC/USDT") { candles(timeframe: M1, from: "2024-01-02T00:00:00Z", first: %d) {
  nodes { openTime open high low close volume } } } }"""
DOCUMENTS = {"1,000 candles": CANDLES % 1_000, "50 candles": CANDLES % 50, "the version": "{ engine { version } }"}
ENCODINGS = ("identity", "gzip")

Row = list[float]


async def measure(rounds: int) -> None:
    async with scratch() as folder:
        async with database(folder) as connection:
            await add_markets(connection, [BTC])
            await add_candles(connection, BTC, START, 4 * 1440, 1)
        async with engine(folder) as running, aiohttp.ClientSession(auto_decompress=False) as session:
            found = {name: await _compare(session, running, text, rounds) for name, text in DOCUMENTS.items()}
    _report(found)


async def _compare(session: aiohttp.ClientSession, running: Engine, document: str, rounds: int) -> dict[str, Row]:
    """Ask in turns, some requests at a time, so that a busy moment meets both."""
    times: dict[str, list[float]] = {encoding: [] for encoding in ENCODINGS}
    bodies: dict[str, bytes] = {}
    for encoding in ENCODINGS:
        await _ask(session, running, document, encoding, WARM_UP)
    for _ in range(rounds):
        for encoding in ENCODINGS:
            bodies[encoding], took = await _ask(session, running, document, encoding, ASKED)
            times[encoding] += took
    packing = _packing_seconds(bodies["identity"]) if len(bodies["gzip"]) < len(bodies["identity"]) else 0.0
    return {
        encoding: [
            len(bodies[encoding]),
            round(packing * 1000, 2) if encoding == "gzip" else 0.0,
            round(percentile(took, 50) * 1000, 2),
            round(percentile(took, 99) * 1000, 2),
        ]
        for encoding, took in times.items()
    }


async def _ask(
    session: aiohttp.ClientSession, running: Engine, document: str, encoding: str, count: int
) -> tuple[bytes, list[float]]:
    times, body = [], b""
    for _ in range(count):
        began = time.perf_counter()
        async with session.post(
            f"{running.url}/graphql", json={"query": document}, headers={"accept-encoding": encoding}
        ) as response:
            body = await response.read()
        times.append(time.perf_counter() - began)
    return body, times


def _packing_seconds(body: bytes) -> float:
    """Return the median of the processor time that compressing takes."""
    times = []
    for _ in range(PACKED):
        began = time.thread_time()
        gzip_body(body)
        times.append(time.thread_time() - began)
    return percentile(times, 50)


def _report(found: dict[str, dict[str, Row]]) -> None:
    columns = ["answer", "encoding", "bytes", "compressing ms", "p50 ms", "p99 ms"]
    rows = [[name, encoding, *row] for name, both in found.items() for encoding, row in both.items()]
    report("compression", columns, rows, [_figure(name, *both.values()) for name, both in found.items()])


def _figure(name: str, plain: Row, packed: Row) -> Figure:
    if packed[0] == plain[0]:
        return Figure(f"the answer of {name}", f"{plain[0]:,.0f} bytes, sent as it is")
    measured = f"{plain[0]:,.0f} bytes, {packed[0]:,.0f} by gzip, which takes {packed[1]:.1f} ms"
    return Figure(f"the answer of {name}", measured)


if __name__ == "__main__":
    uvloop.run(measure(*([int(number) for number in sys.argv[1:]] or [ROUNDS])))
